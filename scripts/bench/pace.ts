/**
 * The generator of a held rate, in its own process: `bun scripts/bench/pace.ts JOB`, where JOB is a `PaceJob` as JSON.
 * Prints a `PaceResult`. Start times are fixed in advance and latency counts from them, even when no connection was
 * free or this process was late, so that a server stall shows in all delayed requests (this avoids coordinated
 * omission, like wrk2). With a null rate a request starts when the previous answer has arrived.
 */
import type { Caller } from "./caller.ts";
import { percentile } from "./percentile.ts";
import { ResponseReader } from "./response-reader.ts";
import { schedule } from "./schedule.ts";

export type PaceJob = Caller & {
  readonly url: string;
  readonly connectionCount: number;
  readonly perSecond: number | null;
  readonly seconds: number;
};

export type PaceResult = {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** How late this process itself was: from the intended start to the first look at it. */
  readonly lateP99Ms: number;
};

type Connection = { readonly send: (index: number) => void };

/** Answers before this time are not counted: caches and the compiler warm up. */
const warmUpMs = 500;

const job = JSON.parse(process.argv[2] ?? "") as PaceJob;
console.log(JSON.stringify(await (job.perSecond === null ? sequential(job) : held(job, job.perSecond))));
process.exit(0);

async function held(job: PaceJob, perSecond: number): Promise<PaceResult> {
  const { count, startOf, dueAt } = schedule(perSecond, job.seconds + warmUpMs / 1000);
  const latencies = new Float64Array(count);
  const late = new Float64Array(count);
  const free: Connection[] = [];
  let noticed = 0;
  let sent = 0;
  let answered = 0;
  const over = Promise.withResolvers<void>();
  const requests = requestsOf(job);
  for (let index = 0; index < job.connectionCount; index++) {
    const connection = await open(job, requests, (request) => {
      latencies[request] = performance.now() - startedAt - startOf(request);
      answered++;
      free.push(connection);
      dispatch();
    });
    free.push(connection);
  }
  const startedAt = performance.now();
  turn();
  await over.promise;
  const seconds = (performance.now() - startedAt) / 1000;
  const warm = Math.ceil((perSecond * warmUpMs) / 1000);
  return result(latencies.subarray(warm), late.subarray(warm), count / seconds);

  function turn(): void {
    const elapsed = performance.now() - startedAt;
    const due = dueAt(elapsed);
    for (; noticed < due; noticed++) late[noticed] = elapsed - startOf(noticed);
    dispatch();
    if (answered === count) over.resolve();
    // A timer may be a millisecond late, so close to the next start the loop spins.
    else if (noticed === count || startOf(noticed) - elapsed > 2) setTimeout(turn, 1);
    else setImmediate(turn);
  }

  function dispatch(): void {
    for (; sent < noticed; sent++) {
      const connection = free.shift();
      if (connection === undefined) return;
      connection.send(sent);
    }
  }
}

async function sequential(job: PaceJob): Promise<PaceResult> {
  const latencies: number[] = [];
  const over = Promise.withResolvers<void>();
  const startedAt = performance.now();
  let sentAt = 0;
  const connection = await open(job, requestsOf(job), (request) => {
    const now = performance.now();
    if (now - startedAt > warmUpMs) latencies.push(now - sentAt);
    if (now - startedAt > warmUpMs + job.seconds * 1000) over.resolve();
    else next(request + 1);
  });
  next(0);
  await over.promise;
  return result(Float64Array.from(latencies), Float64Array.of(0), latencies.length / job.seconds);

  function next(request: number): void {
    sentAt = performance.now();
    connection.send(request);
  }
}

function result(latencies: Float64Array, late: Float64Array, perSecond: number): PaceResult {
  return {
    count: latencies.length,
    perSecond,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: percentile(latencies, 1),
    lateP99Ms: percentile(late, 0.99),
  };
}

/** Complete requests as bytes, one per address. */
function requestsOf({ url, path, headers, bodies }: PaceJob): Buffer[] {
  const lines = Object.entries({ Host: new URL(url).host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Array.from({ length: bodies.count }, (_, index) => {
    const body = `${bodies.before}${String(index).padStart(bodies.digits, "0")}${bodies.after}`;
    return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join("")}Content-Length: ${body.length}\r\n\r\n${body}`);
  });
}

/** A raw keep-alive connection: an HTTP client would cost more than the server. */
async function open(
  job: PaceJob,
  requests: readonly Buffer[],
  onAnswer: (request: number) => void,
): Promise<Connection> {
  const { hostname, port } = new URL(job.url);
  const reader = new ResponseReader();
  let underWay = 0;
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_socket, piece) {
        const status = reader.push(piece);
        if (status === 0) return;
        if (status !== 200) fail(`an answer of status ${status}`);
        onAnswer(underWay);
      },
      error: (_socket, error) => fail(error.message),
      close: () => fail("the server closed a connection"),
    },
  });
  socket.setNoDelay(true);
  return {
    send: (index) => {
      underWay = index;
      const request = requests[Math.floor(Math.random() * requests.length)] ?? "";
      // A request is far smaller than the socket buffer, and there is only one at a time.
      if (socket.write(request) !== request.length) fail("a request was not written in full");
    },
  };
}

function fail(text: string): never {
  console.error(text);
  process.exit(1);
}

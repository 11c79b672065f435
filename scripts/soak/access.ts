/**
 * Keys, limits and the audit trail under repetition, on the executable: parallel requests at a limit, parallel
 * rotations, kills during rotation, audit trails after tampering, and the duration of refusals.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { makeToken } from "../../src/domain/api-key.ts";
import { Appliance, type Service } from "../../test/helpers/appliance.ts";
import { anyTampering, checkTampered, makeTamperable, type Tampering } from "../../test/helpers/tampering.ts";
import { share } from "../share.ts";

type Key = { id: string; key: string; status: string };
type Desk = { appliance: Appliance; service: Service; token: string; keysPath: string };

const address = "jane.doe@example.com";
const unknownId = "3f2a8c1e-0000-4000-8000-000000000000";
const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
const random = mulberry32(seed);
let faultCount = 0;

/** The threshold of dudect: a |t| above 4.5 has a chance of 1 in 150,000. */
const tThreshold = 4.5;
const permutationCount = 1000;
/**
 * Microseconds by which two refusals may differ: a twentieth of a refusal over loopback, far below the random delay of
 * any network. An attacker who measures them already has a whole key, so nothing can be guessed step by step.
 */
const toleratedUs = 1;

console.log(`seed ${seed}`);
await measure("60 parallel requests on a limit of 20", parallelRequests);
await measure("20 parallel rotations", parallelRotations);
await measure("kills -9 during a rotation", killsDuringRotation);
await measure("tampered audit trails", tamperedTrails);
await measure("time of a refusal", refusalTimes);
await measure("time of a scan that is not there", foreignScanTimes);
process.exit(faultCount === 0 ? 0 : 1);

async function measure(name: string, run: () => Promise<string>): Promise<void> {
  const startedAt = performance.now();
  const result = await run();
  console.log(`${name}: ${result} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
}

function fault(text: string): void {
  faultCount += 1;
  console.log(`FAULT: ${text}`);
}

async function open(env: Record<string, string> = {}): Promise<Desk & AsyncDisposable> {
  const appliance = new Appliance();
  const init = appliance.json<{ workspace_id: string; operator_token: string }>("init");
  const file = join(appliance.folder, "leak.csv");
  writeFileSync(file, `email\n${address}\n`);
  appliance.json("corpus", "import", file, "--name", "leak");
  const service = await appliance.serve({ env });
  return {
    appliance,
    service,
    token: init.operator_token,
    keysPath: `/api/v1/workspaces/${init.workspace_id}/keys`,
    [Symbol.asyncDispose]: () => appliance[Symbol.asyncDispose](),
  };
}

function manage({ service, token, keysPath }: Desk, method: string, path = "", body?: object): Promise<Response> {
  return fetch(`${service.url}${keysPath}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function mint(desk: Desk): Promise<Key> {
  return (await (await manage(desk, "POST", "", { name: crypto.randomUUID() })).json()) as Key;
}

function enrich({ service }: Pick<Desk, "service">, key: string): Promise<Response> {
  return fetch(`${service.url}/api/v1/soc/enrich`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": "application/json" },
    body: JSON.stringify({ indicator: { type: "email", value: address } }),
  });
}

async function parallelRequests(): Promise<string> {
  const runCount = share(100);
  await using desk = await open({ XPOSE_RATE_LIMIT_ENTERPRISE: "20" });
  let exactCount = 0;
  for (let run = 0; run < runCount; run += 1) {
    const { id, key } = await mint(desk);
    const answers = await Promise.all(Array.from({ length: 60 }, () => enrich(desk, key)));
    const passed = answers.filter(({ status }) => status === 200 || status === 202).length;
    const refused = answers.filter(({ status }) => status === 429).length;
    if (passed === 20 && refused === 40) exactCount += 1;
    else fault(`run ${run}: ${passed} passed and ${refused} were refused`);
    await manage(desk, "DELETE", `/${id}`);
  }
  return `${exactCount} of ${runCount} runs with exactly 20 passed and 40 times 429`;
}

async function parallelRotations(): Promise<string> {
  const runCount = share(100);
  await using desk = await open();
  let key = await mint(desk);
  let exactCount = 0;
  for (let run = 0; run < runCount; run += 1) {
    const old = key;
    const answers = await Promise.all(Array.from({ length: 20 }, () => manage(desk, "POST", `/${old.id}/rotate`)));
    const won = answers.filter(({ status }) => status === 201);
    const lost = answers.filter(({ status }) => status === 409).length;
    const [winner] = won;
    if (winner === undefined) {
      fault(`run ${run}: no rotation was answered 201`);
      break;
    }
    key = (await winner.json()) as Key;
    const works = [(await enrich(desk, old.key)).status, (await enrich(desk, key.key)).status];
    const { keys } = (await (await manage(desk, "GET", "?status=active")).json()) as { keys: Key[] };
    const isExact = won.length === 1 && lost === 19 && works[0] === 401 && (works[1] ?? 500) < 300 && keys.length === 1;
    if (isExact) exactCount += 1;
    else fault(`run ${run}: ${won.length} x 201, ${lost} x 409, statuses ${works.join()}, ${keys.length} active keys`);
  }
  return `${exactCount} of ${runCount} runs with one 201, 19 times 409 and one working key`;
}

async function killsDuringRotation(): Promise<string> {
  const runCount = share(50);
  await using desk = await open();
  let key = await mint(desk);
  const ends = { old: 0, new: 0, answered: 0 };
  let service = desk.service;
  for (let run = 0; run < runCount; run += 1) {
    const now = { ...desk, service };
    // An open connection, so that the kill hits the rotation and not the handshake.
    await manage(now, "GET");
    const rotation = manage(now, "POST", `/${key.id}/rotate`)
      .then(async (response) => (await response.json()) as Key)
      .catch(() => null);
    const until = performance.now() + random() * 4;
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
    service.kill("SIGKILL");
    await service.exited;
    const answered = await rotation;
    service = await desk.appliance.serve();
    const { keys } = desk.appliance.json<{ keys: Key[] }>("keys", "list");
    const active = keys.filter(({ status }) => status === "active");
    const isOld = active[0]?.id === key.id;
    const oldStatus = (await enrich({ service }, key.key)).status;
    if (active.length !== 1) fault(`run ${run}: ${active.length} active keys`);
    if (oldStatus < 300 !== isOld) fault(`run ${run}: the old key answers ${oldStatus}, and is active: ${isOld}`);
    if (answered !== null) {
      ends.answered += 1;
      if (isOld || (await enrich({ service }, answered.key)).status >= 300)
        fault(`run ${run}: an answered key is lost`);
    }
    ends[isOld ? "old" : "new"] += 1;
    const { ok } = desk.appliance.json<{ ok: boolean }>("audit", "verify");
    if (!ok) fault(`run ${run}: the audit trail is broken`);
    key = desk.appliance.json<Key>("keys", "rotate", active[0]?.id ?? "");
  }
  return `${runCount} kills, each with exactly one working key: ${ends.old} old, ${ends.new} new (${ends.answered} of them answered)`;
}

/** Tampering without the secret is always detected; the test of the same name tries a few cases. */
async function tamperedTrails(): Promise<string> {
  const runCount = share(1000);
  const root = mkdtempSync(join(tmpdir(), "xpose-soak-"));
  const found: Record<string, number> = {};
  let missedCount = 0;
  for (const isShortened of [false, true]) {
    const source = join(root, isShortened ? "shortened" : "whole");
    await makeTamperable(source, isShortened);
    const check = (tampering: Tampering | null) => checkTampered(source, join(root, "copy"), tampering);
    const untouched = await check(null);
    if (untouched?.ok !== true) fault(`an untouched trail is called broken: ${untouched?.problem}`);
    // Changes without effect do not count.
    const tamperings = fc.sample(anyTampering(isShortened), runCount);
    for (let count = 0; count < runCount / 2; ) {
      const tampering = tamperings.pop() ?? null;
      if (tampering === null) throw new Error("too many tamperings changed nothing");
      const result = await check(tampering);
      if (result === null) continue;
      count += 1;
      const kind = tampering.what.split(";")[0] ?? "";
      if (!result.ok) found[kind] = (found[kind] ?? 0) + 1;
      else {
        missedCount += 1;
        fault(`not found: ${tampering.what}`);
      }
    }
  }
  rmSync(root, { recursive: true });
  const foundCount = Object.values(found).reduce((sum, count) => sum + count, 0);
  return `${foundCount} of ${foundCount + missedCount} found: ${JSON.stringify(found)}`;
}

/** A well-formed unknown key, another unknown key (the null), and a revoked key. */
async function refusalTimes(): Promise<string> {
  await using desk = await open();
  const { id, key: revoked } = await mint(desk);
  await (await enrich(desk, revoked)).arrayBuffer();
  await manage(desk, "DELETE", `/${id}`);
  const unknownKey = () => makeToken("key", crypto.getRandomValues(new Uint8Array(20)));
  const get = (key: string) => pollText(desk, key, unknownId);
  const requests = { unknown: get(unknownKey()), null: get(unknownKey()), revoked: get(revoked) };
  const { of, after } = await sampleTimes(desk, requests, share(20_000), 401);
  compare("an unknown key and another unknown one (null)", of.unknown, of.null);
  compare("an unknown key and a revoked one", of.unknown, of.revoked);
  compare("what comes after an unknown key, and after a revoked one", after.unknown, after.revoked);
  return `${of.unknown.length} + ${of.null.length} + ${of.revoked.length} samples`;
}

/** An unknown scan id, another unknown id (the null), and an id of another workspace (docs/contract.md 6.1). */
async function foreignScanTimes(): Promise<string> {
  await using desk = await open({ XPOSE_RATE_LIMIT_ENTERPRISE: "0", XPOSE_RATE_LIMIT_TEAM: "0" });
  const { key } = await mint(desk);
  desk.appliance.json("workspaces", "create", "--name", "other");
  const foreignKey = desk.appliance.mintKey("foreign", "other");
  const { request_id: foreignId } = (await (await enrich(desk, foreignKey)).json()) as { request_id: string };
  while ((await (await enrich(desk, foreignKey)).text()).includes("scanning")) await Bun.sleep(10);
  const get = (scanId: string) => pollText(desk, key, scanId);
  const requests = { unknown: get(unknownId), null: get(crypto.randomUUID()), foreign: get(foreignId) };
  const { of } = await sampleTimes(desk, requests, share(20_000), 404);
  compare("an unknown id and another unknown one (null)", of.unknown, of.null);
  compare("an unknown id and a foreign one", of.unknown, of.foreign);
  return `${of.unknown.length} + ${of.null.length} + ${of.foreign.length} samples`;
}

function pollText({ service }: Desk, key: string, scanId: string): string {
  const { host } = new URL(service.url);
  return `GET /api/v1/soc/enrich/${scanId} HTTP/1.1\r\nHost: ${host}\r\nX-API-Key: ${key}\r\nX-Correlation-Id: soak\r\n\r\n`;
}

/**
 * Times requests over one connection, in microseconds, until each kind was sent `wanted` times. The order is random, so
 * drift affects all kinds alike and a permutation of the labels is an exact test. `after` groups the times of the other
 * requests by the request before them, to show what it leaves behind.
 */
async function sampleTimes<Name extends string>(
  { service }: Desk,
  requests: Readonly<Record<Name, string>>,
  wanted: number,
  status: number,
): Promise<{ of: Record<Name, number[]>; after: Record<Name, number[]> }> {
  const names = Object.keys(requests) as Name[];
  const empty = () => Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  const [of, after] = [empty(), empty()];
  const [first] = names;
  if (first === undefined) throw new Error("there is nothing to time");
  const socket = await openSocket(Number(new URL(service.url).port));
  for (let count = 0; count < Math.min(2_000, wanted); count += 1) await ask(socket, requests[first], status);
  for (let before: Name | null = null; names.some((name) => of[name].length < wanted); ) {
    const name: Name = names[Math.floor(random() * names.length)] ?? first;
    const us = await ask(socket, requests[name], status);
    of[name].push(us);
    if (before !== null && name === first) after[before].push(us);
    before = name;
  }
  socket.destroy();
  for (const name of names) console.log(`  ${name}: ${summary(of[name])}`);
  return { of, after };
}

function compare(name: string, a: readonly number[], b: readonly number[]): void {
  const { differenceUs, t, p } = compareTimes(a, b);
  const isTold = Math.abs(t) > tThreshold && p <= 1 / permutationCount;
  const verdict = isTold ? `told apart, ${toleratedUs} us is tolerated` : "not told apart";
  console.log(
    `  ${name}: ${differenceUs.toFixed(2)} us apart, Welch t ${t.toFixed(2)}, permutation p ${p.toFixed(4)}: ${verdict}`,
  );
  if (isTold && Math.abs(differenceUs) > toleratedUs) fault(`${name} are told apart by time`);
}

/**
 * Trimmed means (without the slowest tenth on both sides, which is due to the scheduler), their Welch's t, and the
 * share of random relabellings with at least this difference.
 */
function compareTimes(a: readonly number[], b: readonly number[]) {
  const limit = quantile(
    [...a, ...b].sort((x, y) => x - y),
    0.9,
  );
  const [one, other] = [a.filter((us) => us <= limit), b.filter((us) => us <= limit)];
  const differenceUs = mean(other) - mean(one);
  const t = differenceUs / Math.sqrt(variance(one) / one.length + variance(other) / other.length);
  const pool = Float64Array.from([...one, ...other]);
  const total = pool.reduce((sum, us) => sum + us, 0);
  let asFarCount = 0;
  for (let round = 0; round < permutationCount; round += 1) {
    let sum = 0;
    // The first `one.length` places of a shuffle.
    for (let index = 0; index < one.length; index += 1) {
      const from = index + Math.floor(random() * (pool.length - index));
      const picked = pool[from] ?? 0;
      pool[from] = pool[index] ?? 0;
      pool[index] = picked;
      sum += picked;
    }
    const difference = (total - sum) / other.length - sum / one.length;
    if (Math.abs(difference) >= Math.abs(differenceUs)) asFarCount += 1;
  }
  return { differenceUs, t, p: (asFarCount + 1) / (permutationCount + 1) };
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const shown = [0.1, 0.5, 0.9, 0.99].map((q) => `p${q * 100} ${quantile(sorted, q).toFixed(1)}`);
  return `${times.length} samples, us: ${shown.join(", ")}`;
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function variance(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}

function openSocket(port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
  socket.on("error", reject);
  return promise;
}

/** Microseconds from the request to the end of its answer, which must have this status. */
function ask(socket: Socket, request: string, status: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let text = "";
  const startedAt = performance.now();
  const onData = (chunk: Buffer) => {
    text += chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
    if (end === -1 || text.length < end + 4 + length) return;
    const us = (performance.now() - startedAt) * 1000;
    socket.off("data", onData);
    if (text.startsWith(`HTTP/1.1 ${status}`)) resolve(us);
    else reject(new Error(`not ${status}: ${text.slice(0, 20)}`));
  };
  socket.on("data", onData);
  socket.write(request);
  return promise;
}

/** A small seeded generator, so that a run can be repeated. */
function mulberry32(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * The n-th write, fsync, read, truncation or rename of the service fails with an I/O error, n = 1 to 200 (by strace): what is
 * acknowledged all the same is there after a kill and a restart, and hits go on.
 */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Appliance, client } from "../../test/helpers/appliance.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

const kinds = {
  write: "pwrite64,pwritev,write,writev",
  fsync: "fsync,fdatasync",
  read: "pread64,preadv",
  truncate: "ftruncate,truncate",
  rename: "rename,renameat,renameat2,unlink,unlinkat",
};
const lastFault = 200;
/** After so many runs in which there was no n-th call, there is none for a greater n either. */
const mostUnused = 3;
const known = "jane.doe@example.com";

if (Bun.which("strace") === null) {
  console.log("skipped: strace is not installed");
  finish();
}
await using template = new Appliance();
const key = template.initialise();
const file = join(template.folder, "leak.csv");
writeFileSync(file, `email\n${known}\n`);
template.json("corpus", "import", file, "--name", "leak");
template.json("enrich", known);

for (const [kind, calls] of Object.entries(kinds)) {
  const faults: string[] = [];
  let [refusedStartCount, injectedCount, promisedCount, hitCount] = [0, 0, 0, 0];
  let unusedCount = 0;
  let runCount = 0;
  for (let at = 1; at <= share(lastFault) && unusedCount < mostUnused; at += 1) {
    runCount += 1;
    const run = await runWithFault(calls, at);
    if (run === null) {
      refusedStartCount += 1;
      continue;
    }
    unusedCount = run.hasFailed ? 0 : unusedCount + 1;
    if (run.hasFailed) injectedCount += 1;
    promisedCount += run.promisedCount;
    hitCount += run.hitCount;
    faults.push(...run.faults.map((fault) => `${kind} ${at}: ${fault}`));
  }
  for (const fault of faults) console.log(fault);
  const told = `${promisedCount} acknowledgements and ${hitCount} hits, ${refusedStartCount} starts refused`;
  judge(
    faults.length === 0,
    `${injectedCount} faults of ${kind} in ${runCount} runs: ${told}, ${faults.length} lost or not served`,
  );
}
finish();

/** Null when the service did not start, which acknowledges nothing. */
async function runWithFault(calls: string, at: number) {
  await using appliance = new Appliance();
  cpSync(template.dataDir, appliance.dataDir, { recursive: true });
  const inject = `-e trace=${calls} -e inject=${calls}:error=EIO:when=${at}`;
  const trace = join(appliance.folder, "trace");
  const shell = `exec strace -f --seccomp-bpf -qq -o ${trace} ${inject} "$0" "$@"`;
  const service = await appliance.serve({ shell }).catch(() => null);
  if (service === null) return null;
  const faults: string[] = [];
  const api = client(service.url, key);
  const accepted: string[] = [];
  let hitCount = 0;
  for (let round = 0; round < 12; round += 1) {
    // A request may be refused or cut by the fault; only what is acknowledged counts.
    const miss = await api.enrich(`user${round}@example.com`).catch(() => null);
    if (miss?.status === 202) accepted.push(((await miss.json()) as { request_id: string }).request_id);
    const hit = await api.enrich(known).catch(() => null);
    if (hit?.status === 200) hitCount += 1;
    else faults.push(`a hit was answered ${hit?.status ?? "not at all"}`);
    await hit?.body?.cancel();
  }
  const [child = ""] = readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, "utf8").split(" ");
  process.kill(Number(child), "SIGKILL");
  await service.exited;
  const after = await appliance.serve();
  for (const id of accepted) {
    const { status } = await client(after.url, key).get(`/api/v1/soc/enrich/${id}`);
    if (status === 404) faults.push("an accepted scan is not there");
  }
  const hasFailed = readFileSync(trace, "utf8").includes("(INJECTED)");
  return { faults, promisedCount: accepted.length, hitCount, hasFailed };
}

/** 100 renewals of the certificate while ten clients ask again and again: no request fails. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Appliance } from "../../test/helpers/appliance.ts";
import { createAuthority } from "../../test/helpers/certificates.ts";
import { watchHealth } from "../../test/helpers/health-watch.ts";
import { writeTlsConfig } from "../../test/helpers/write-tls-config.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

const renewalCount = share(100);
const clientCount = 10;
const takenOver = '"msg":"certificate taken over"';
const authority = createAuthority("Siege authority");
const certificates = Array.from({ length: 4 }, () => authority.issue(["IP:127.0.0.1"]));

await using appliance = new Appliance();
appliance.initialise();
const [first] = certificates;
if (first === undefined) throw new Error("no certificate was made");
const service = await appliance.serve({ args: writeTlsConfig(appliance.folder, first) });
const watch = watchHealth(service.url);
let isOver = false;
let answerCount = 0;
const faults = new Map<string, number>();
const clients = Array.from({ length: clientCount }, async () => {
  while (!isOver) {
    try {
      const response = await fetch(`${service.url}/healthz`, { tls: { rejectUnauthorized: false } });
      await response.arrayBuffer();
      answerCount += 1;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      faults.set(code, (faults.get(code) ?? 0) + 1);
    }
    await Bun.sleep(5);
  }
});
for (let renewal = 1; renewal <= renewalCount; renewal += 1) {
  const next = certificates[renewal % certificates.length] ?? first;
  writeFileSync(join(appliance.folder, "key.pem"), next.key);
  writeFileSync(join(appliance.folder, "cert.pem"), next.cert);
  service.kill("SIGHUP");
  while (service.log().split(takenOver).length <= renewal) await Bun.sleep(10);
}
isOver = true;
await Promise.all(clients);
const longestMs = await watch.stop();
const told = [...faults].map(([code, count]) => `${count} x ${code}`).join(", ");
judge(faults.size === 0, `${renewalCount} renewals, ${answerCount} requests answered, lost: ${told || "none"}`);
judge(longestMs <= 200, `longest answer of /healthz meanwhile ${longestMs.toFixed(0)} ms`);
finish();

/** 300 requests that were wholly sent before SIGTERM, on new, on used and on few connections: every one is answered. */

import { Appliance } from "../../test/helpers/appliance.ts";
import { createAuthority } from "../../test/helpers/certificates.ts";
import { enrichRequest } from "../../test/helpers/enrich-request.ts";
import { rawClient } from "../../test/helpers/raw-client.ts";
import { writeTlsConfig } from "../../test/helpers/write-tls-config.ts";
import { finish, judge } from "../judge.ts";
import { share } from "../share.ts";

const exitWithinMs = 10_000;
const authority = createAuthority("Siege authority");

for (const isTls of [false, true]) {
  for (const { connections, before } of [
    { connections: 300, before: 0 },
    { connections: 300, before: 1 },
    { connections: 30, before: 9 },
  ]) {
    const runCount = share(20);
    let answeredCount = 0;
    let longestMs = 0;
    let exitedCount = 0;
    for (let run = 0; run < runCount; run += 1) {
      await using appliance = new Appliance();
      const key = appliance.initialise();
      const args = isTls ? writeTlsConfig(appliance.folder, authority.issue(["IP:127.0.0.1"])) : [];
      const service = await appliance.serve({ args });
      const clients = await Promise.all(Array.from({ length: connections }, () => rawClient(service.url)));
      for (let round = 0; round < before; round += 1) {
        for (const [index, one] of clients.entries())
          one.write(enrichRequest(key, `user${index}-${round}@example.com`));
        await Promise.all(clients.map((one) => one.answers(round + 1)));
      }
      for (const [index, one] of clients.entries()) one.write(enrichRequest(key, `user${index}@example.com`));
      // The bytes are in the kernel when the other writes of this turn are done.
      await new Promise((resolve) => setImmediate(resolve));
      const toldAt = performance.now();
      service.kill("SIGTERM");
      const answers = await Promise.all(clients.map((one) => one.answers(before + 1)));
      answeredCount += answers.filter((statuses) => statuses.length === before + 1).length;
      if ((await service.exited) === 0) exitedCount += 1;
      longestMs = Math.max(longestMs, performance.now() - toldAt);
      for (const one of clients) one.socket.destroy();
    }
    const what = `${isTls ? "TLS, " : ""}${connections} connections with ${before} answers before`;
    const all = connections * runCount;
    judge(answeredCount === all, `${what}: ${answeredCount} of ${all} requests answered in ${runCount} stops`);
    judge(
      exitedCount === runCount && longestMs < exitWithinMs,
      `${what}: ${exitedCount} exits with 0, the slowest after ${longestMs.toFixed(0)} ms`,
    );
  }
}
finish();

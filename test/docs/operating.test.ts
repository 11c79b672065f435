import { expect, test } from "vitest";
import { openMetrics } from "../../src/service/metrics.ts";
import { codeIn, readPage } from "../helpers/markdown-page.ts";

test("docs/operating.md names every metric of the service, once, and no other", () => {
  const metrics = openMetrics("1.0.0", {
    auditDroppedCount: () => 0,
    auditWaitingCount: () => 0,
    logDroppedCount: () => 0,
    isDiskFull: () => false,
    isAuditHeadKept: () => true,
    // A service without TLS leaves this metric out.
    certificateNotAfter: () => new Date(0),
  });
  const served = [...metrics.render().matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] ?? "");
  const list = /^Metrics: ([\s\S]*?)\n\n/m.exec(readPage("docs/operating.md").text)?.[1] ?? "";
  const named = codeIn(list).filter((code) => /^(?:xpose|process)_\w+$/.test(code));
  expect(served.length).toBeGreaterThan(10);
  expect(named.sort()).toEqual(served.sort());
});

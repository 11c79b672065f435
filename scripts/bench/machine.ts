import { readFileSync } from "node:fs";
import { release } from "node:os";

export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly bun: string;
  /** Share of the time since boot that the host gave to other machines; NaN if unknown. */
  readonly stolen: number;
};

export function machine(): Machine {
  const processors = readFileSync("/proc/cpuinfo", "utf8");
  const memory = /MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  // user nice system idle iowait irq softirq steal, proc(5).
  const times = /^cpu +([\d ]+)/.exec(readFileSync("/proc/stat", "utf8"))?.[1]?.split(" ").map(Number) ?? [];
  const all = times.slice(0, 8).reduce((sum, time) => sum + time, 0);
  return {
    processor: /model name\s*: (.*)/.exec(processors)?.[1] ?? "unknown",
    cores: processors.match(/^processor\s/gm)?.length ?? 0,
    memoryMiB: Math.round(Number(memory) / 1024),
    kernel: release(),
    bun: Bun.version,
    stolen: (times[7] ?? Number.NaN) / all,
  };
}

export function describeMachine({ processor, cores, memoryMiB, kernel, bun, stolen }: Machine): string {
  const share = `${(stolen * 100).toFixed(1)} % of its time stolen by the host`;
  return `${processor}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}, Bun ${bun}, ${share}`;
}

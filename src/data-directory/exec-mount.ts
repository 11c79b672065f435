import { readFileSync, realpathSync } from "node:fs";

/** Whether the mount of a folder forbids to run what is in it (noexec). False when that cannot be found out. */
export function forbidsExec(folder: string, read = () => readFileSync("/proc/self/mountinfo", "utf8")): boolean {
  try {
    return isNoexec(realpathSync(folder), read());
  } catch {
    return false;
  }
}

/** `mountinfo` as in proc_pid_mountinfo(5): the fifth field is the mount point, the sixth the options. */
function isNoexec(path: string, mountinfo: string): boolean {
  let best = { point: "", options: "" };
  for (const line of mountinfo.split("\n")) {
    const [, , , , escaped = "", options = ""] = line.split(" ");
    const point = escaped.replaceAll(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    // A later mount on the same point covers the earlier one.
    if (point !== "" && isAbove && point.length >= best.point.length) best = { point, options };
  }
  return best.options.split(",").includes("noexec");
}

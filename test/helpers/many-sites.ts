import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SiteAnswer, SiteRequest } from "./fake-internet.ts";
import { installHoleheDouble } from "./python-environment.ts";

/** How a module handles errors, and the number of holehe's modules that do so. */
const manners = {
  /** Reports "rate limit" for any exception. */
  careful: 70,
  /** Raises. */
  careless: 52,
  /** Always reports "not registered". */
  denying: 1,
  /** Reports "registered" for every 200. */
  believing: 1,
};

/** Every site: `careful0.sites.example`, `careless51.sites.example` and so on. */
export const siteNames: readonly string[] = Object.entries(manners).flatMap(([manner, count]) =>
  Array.from({ length: count }, (_, index) => `${manner}${index}.sites.example`),
);

/**
 * Installs a double of holehe with the same structure into an environment: 124 modules, each of which asks its own site
 * over HTTPS. The careful and the careless modules read `{"registered": true}`. They paste the address into a query or
 * path, or pass it to the client as parameters, form or JSON. Returns the names of the sites.
 */
export function installManySites(packages: string): readonly string[] {
  const modules = join(installHoleheDouble(packages), "modules");
  rmSync(modules, { recursive: true });
  mkdirSync(join(modules, "many"), { recursive: true });
  for (const folder of [modules, join(modules, "many")]) writeFileSync(join(folder, "__init__.py"), "");
  for (const [index, host] of siteNames.entries()) {
    const name = host.split(".")[0] ?? "";
    writeFileSync(join(modules, "many", `${name}.py`), moduleOf(name, host, index));
  }
  return siteNames;
}

/** The answer of a healthy site: whether it knows the address of the request, however the address was sent. */
export function answerAbout(known: string): (request: SiteRequest) => SiteAnswer {
  return (request) => {
    const isKnown = addressOf(request) === known;
    if (request.method === "HEAD") return { status: isKnown ? 200 : 404 };
    return {
      status: 200,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ registered: isKnown }),
    };
  };
}

/** Reads the address from a request, like a server. */
export function addressOf({ target, body }: SiteRequest): string | null {
  const url = new URL(target, "https://site.example");
  const fromPath = decodeURIComponent(url.pathname.split("/")[2] ?? "");
  const fromBody = body.startsWith("{") ? JSON.parse(body).email : new URLSearchParams(body).get("email");
  return url.searchParams.get("email") ?? fromBody ?? (fromPath === "" ? null : fromPath);
}

const waysToAsk = [
  (url: string) => `client.get("${url}/check?email=" + email)`,
  (url: string) => `client.get("${url}/check/" + email + "/state")`,
  (url: string) => `client.get("${url}/check", params={"email": email})`,
  (url: string) => `client.post("${url}/check", data={"email": email})`,
  (url: string) => `client.post("${url}/check", json={"email": email})`,
  (url: string) => `client.post("${url}/check", data='{"email":"' + email + '"}')`,
];

function moduleOf(name: string, host: string, index: number): string {
  const ask = waysToAsk[index % waysToAsk.length]?.(`https://${host}`);
  const read = [`response = await ${ask}`, `out.append(row("${name}", "${host}", response.json()["registered"]))`];
  const bodies: Record<keyof typeof manners, string[]> = {
    careful: [
      "try:",
      ...read.map((line) => `    ${line}`),
      "except Exception:",
      `    out.append(row("${name}", "${host}", False, rateLimit=True))`,
    ],
    careless: read,
    denying: [
      "try:",
      `    await ${ask}`,
      "except Exception:",
      "    pass",
      `out.append(row("${name}", "${host}", False))`,
    ],
    believing: [
      `response = await client.head("https://${host}/check/" + email)`,
      `out.append(row("${name}", "${host}", response.status_code == 200))`,
    ],
  };
  const manner = name.replace(/\d+$/, "") as keyof typeof manners;
  const lines = bodies[manner].map((line) => `    ${line}`);
  return `from holehe.core import *\n\n\nasync def ${name}(email, client, out):\n${lines.join("\n")}\n`;
}

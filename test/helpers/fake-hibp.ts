import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import accounts from "../fixtures/sources/hibp/accounts.json";
import breaches from "../fixtures/sources/hibp/breaches.json";

/** Works only for addresses of `hibpTestDomain`, like the documented test key. */
export const hibpTestKey = "0".repeat(32);
/** Works for all addresses, like a paid key. */
export const hibpPaidKey = "a".repeat(32);
export const hibpTestDomain = "hibp-integration-tests.com";

/** The sixteen documented test accounts, before the `@`. */
export const hibpTestAccounts: readonly string[] = Object.keys(accounts);

export type FakeHibp = {
  /** Ends with `/api/v3`, like the real base URL. */
  readonly url: string;
  readonly requests: readonly { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
  readonly stop: () => Promise<void>;
};

type Account = {
  readonly breaches: readonly string[];
  readonly pastes: readonly object[];
  readonly stealerLogs: readonly string[];
  readonly isOptedOut: boolean;
};
type Reply = (response: ServerResponse) => void;

/** The breaches of addresses in other domains, for manual tests. */
const people: Readonly<Record<string, Account>> = {
  "jane.doe@example.com": {
    breaches: ["ExampleForum", "LinkedIn"],
    pastes: accounts["account-exists"].pastes,
    stealerLogs: ["portal.example"],
    isOptedOut: false,
  },
};

/**
 * A stand-in for Have I Been Pwned, API v3, on 127.0.0.1, with invented breaches. It knows the documented test accounts
 * and key, the range search, the free catalogue, and extra faults: the address `429@hibp-integration-tests.com` gets a
 * 429, and so on for each of `hibpTriggers`. `429+pasteaccount@...` gets the fault only at this call.
 */
export async function startFakeHibp({ port = 0 } = {}): Promise<FakeHibp> {
  const requests: { path: string; headers: IncomingMessage["headers"] }[] = [];
  const server = createServer((request, response) => {
    requests.push({ path: request.url ?? "", headers: request.headers });
    replyTo(request)(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the fake does not listen");
  return {
    url: `http://127.0.0.1:${address.port}/api/v3`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const page = "<!doctype html><title>Just a moment</title>";

function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
    response.end(JSON.stringify(body));
  };
}

function html(status: number): Reply {
  return (response) => {
    response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cf-ray": "8f0000000000abcd-EXA" });
    response.end(page);
  };
}

const notFound: Reply = (response) => {
  response.writeHead(404);
  response.end();
};

function refusal(statusCode: number, message: string, headers: Record<string, string> = {}): Reply {
  return json(statusCode, { statusCode, message }, headers);
}

const wrongKey = refusal(401, "Access denied due to invalid hibp-api-key.");
const notInPlan = refusal(403, "Your subscription does not include this feature.");

/** The fault for an address with this local part. */
export const hibpTriggers = {
  "400": refusal(400, "The account does not comply with an acceptable format."),
  "401": wrongKey,
  "403html": html(403),
  "403plan": notInPlan,
  "404html": html(404),
  "404json": refusal(404, "Resource not found"),
  "429": refusal(429, "Rate limit is exceeded. Try again in 2 seconds.", { "retry-after": "2" }),
  "500": refusal(500, "Internal server error"),
  "503": html(503),
  cut: (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "5000" });
    response.write('[{"Name":"ExampleShop"');
    response.socket?.end();
  },
  hang: () => {},
  html: html(200),
  object: json(200, { Name: "ExampleShop" }),
  redirect: (response) => {
    response.writeHead(302, { location: "https://haveibeenpwned.example/" });
    response.end();
  },
  truncated: json(200, [{ Name: "ExampleShop" }]),
} as const satisfies Record<string, Reply>;

function replyTo(request: IncomingMessage): Reply {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://fake.test");
  const [api, version, call = "", ...rest] = pathname.slice(1).split("/");
  if (`${api}/${version}`.toLowerCase() !== "api/v3") return html(404);
  if (request.method !== "GET") return json(405, { message: "Method not allowed" });
  // Also mandatory on the free calls.
  if ((request.headers["user-agent"] ?? "").trim() === "") return html(403);
  const argument = decodeURIComponent(rest.join("/")).trim();
  return (
    freeReply(call.toLowerCase(), argument, searchParams) ??
    keyedReply(call.toLowerCase(), argument, searchParams, request.headers["hibp-api-key"])
  );
}

function freeReply(call: string, argument: string, query: URLSearchParams): Reply | null {
  const published = breaches.filter((breach) => !breach.IsRetired);
  switch (call) {
    case "breaches": {
      const domain = query.get("Domain")?.toLowerCase();
      const isSpamList = query.get("IsSpamList")?.toLowerCase();
      const chosen = published.filter(
        (breach) =>
          (domain === undefined || breach.Domain === domain) &&
          (isSpamList === undefined || String(breach.IsSpamList) === isSpamList),
      );
      return json(200, chosen);
    }
    case "breach": {
      const breach = published.find(({ Name }) => Name.toLowerCase() === argument.toLowerCase());
      return breach === undefined ? notFound : json(200, breach);
    }
    case "latestbreach":
      return json(200, published.toSorted((a, b) => b.AddedDate.localeCompare(a.AddedDate))[0]);
    case "dataclasses":
      return json(200, [...new Set(breaches.flatMap(({ DataClasses }) => DataClasses))].sort());
    default:
      return null;
  }
}

function keyedReply(call: string, argument: string, query: URLSearchParams, key: unknown): Reply {
  if (key === undefined) return refusal(401, "Access denied due to missing hibp-api-key.");
  if (key !== hibpTestKey && key !== hibpPaidKey) return wrongKey;
  if (call === "breachedaccount" && argument.toLowerCase().startsWith("range/")) {
    return rangeReply(argument.slice("range/".length));
  }
  switch (call) {
    case "subscription":
      return argument.toLowerCase() === "status" ? json(200, subscription) : html(404);
    case "subscribeddomains":
      return json(200, []);
    case "breacheddomain":
    case "stealerlogsbyemaildomain":
      return refusal(403, "The domain is not verified for this subscription.");
    case "breachedaccount":
    case "pasteaccount":
    case "stealerlogsbyemail":
      if (key === hibpTestKey && !argument.toLowerCase().endsWith(`@${hibpTestDomain}`)) return wrongKey;
      return accountReply(call, argument.toLowerCase(), query);
    default:
      return html(404);
  }
}

const subscription = {
  SubscriptionName: "Pro 1",
  Description: "An invented subscription.",
  SubscribedUntil: "2027-05-30T00:00:00Z",
  Rpm: 100,
  DomainSearchMaxBreachedAccounts: 500,
  IncludesStealerLogs: true,
  IncludesKAnon: true,
};

function accountReply(call: string, address: string, query: URLSearchParams): Reply {
  const [, name = "", onlyCall = call, domain] = /^([^+@]*)(?:\+(\w+))?@(.*)$/.exec(address) ?? [];
  const trigger = onlyCall === call ? triggers.get(`${name}@${domain}`) : undefined;
  if (trigger !== undefined) return trigger;
  const account = accountsByAddress.get(address);
  if (account === undefined || account.isOptedOut) return notFound;
  if (call === "pasteaccount") return listReply(account.pastes);
  if (call === "stealerlogsbyemail") return listReply(account.stealerLogs);
  const found = breachesOf(account).filter(
    (breach) =>
      (query.get("domain") ?? breach.Domain) === breach.Domain &&
      (breach.IsVerified || query.get("IncludeUnverified")?.toLowerCase() !== "false"),
  );
  const isTruncated = query.get("truncateResponse")?.toLowerCase() !== "false";
  return listReply(isTruncated ? found.map(({ Name }) => ({ Name })) : found);
}

/** The public search never returns sensitive or retired breaches. */
function breachesOf(account: Account) {
  return breaches.filter(
    ({ Name, IsSensitive, IsRetired }) => account.breaches.includes(Name) && !IsSensitive && !IsRetired,
  );
}

function listReply(items: readonly unknown[]): Reply {
  return items.length === 0 ? notFound : json(200, items);
}

/** All addresses of a range: the test accounts among many unrelated addresses. */
function rangeReply(prefix: string): Reply {
  if (!/^[0-9a-f]{6}$/i.test(prefix)) return refusal(400, "The hash prefix is not in a valid format.");
  const isInRange = (address: string) => hashOf(address).startsWith(prefix.toUpperCase());
  for (const [address, trigger] of triggers) if (isInRange(address)) return trigger;
  const own = [...accountsByAddress]
    .filter(([address, account]) => isInRange(address) && !account.isOptedOut && breachesOf(account).length > 0)
    .map(([address, account]) => ({
      hashSuffix: hashOf(address).slice(6),
      websites: breachesOf(account).map(({ Name }) => Name),
    }));
  const others = Array.from({ length: 200 }, (_, index) => ({
    hashSuffix: hashOf(`nobody-${index}@example.com`).slice(6),
    websites: ["ExampleNews"],
  }));
  return json(
    200,
    [...own, ...others].toSorted((a, b) => a.hashSuffix.localeCompare(b.hashSuffix)),
  );
}

function hashOf(address: string): string {
  return createHash("sha1").update(address).digest("hex").toUpperCase();
}

const triggers: ReadonlyMap<string, Reply> = new Map(atTestDomain(hibpTriggers));
const accountsByAddress: ReadonlyMap<string, Account> = new Map([
  ...atTestDomain<Account>(accounts),
  ...Object.entries(people),
]);

function atTestDomain<Value>(byName: Readonly<Record<string, Value>>): [string, Value][] {
  return Object.entries(byName).map(([name, value]) => [`${name}@${hibpTestDomain}`, value]);
}

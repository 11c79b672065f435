/** A value of Logstash's configuration language. */
export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };
export type Plugin = { readonly name: string; readonly settings: { readonly [name: string]: Value } };
export type Branch = { readonly condition: string; readonly steps: readonly Step[] };
export type Step = Plugin | Branch;

/** Reads the `filter` section of a Logstash configuration. Throws where the text does not follow the language. */
export function parseFilter(text: string): readonly Step[] {
  const tokens = [...text.replaceAll(/^\s*#.*$/gm, "").matchAll(/"(?:[^"\\]|\\.)*"|=>|[{}[\],]|[^\s{}[\],"]+/g)].map(
    ([token]) => token,
  );
  let at = 0;
  const next = () => tokens[at++] ?? "";
  const expectToken = (wanted: string) => {
    const token = next();
    if (token !== wanted) throw new Error(`${wanted} is wanted, not ${token}`);
  };

  function steps(): Step[] {
    const found: Step[] = [];
    expectToken("{");
    while (tokens[at] !== "}") found.push(tokens[at] === "if" ? branch() : plugin());
    expectToken("}");
    return found;
  }
  function branch(): Branch {
    expectToken("if");
    const words: string[] = [];
    while (tokens[at] !== "{") words.push(next());
    return { condition: words.join(" ").replaceAll(/(?<=\[) | (?=\])|(?<=\]) (?=\[)|(?<=!) /g, ""), steps: steps() };
  }
  function plugin(): Plugin {
    const name = next();
    expectToken("{");
    return { name, settings: entries("}") };
  }
  function entries(end: string): Record<string, Value> {
    const found: Record<string, Value> = {};
    while (tokens[at] !== end) {
      const name = unquoted(next());
      expectToken("=>");
      found[name] = value();
    }
    expectToken(end);
    return found;
  }
  function value(): Value {
    const token = next();
    if (token === "{") return entries("}");
    if (token === "[") {
      const found: Value[] = [];
      while (tokens[at] !== "]") {
        found.push(value());
        if (tokens[at] === ",") at += 1;
      }
      at += 1;
      return found;
    }
    if (token === "true" || token === "false") return token === "true";
    if (/^\d+$/.test(token)) return Number(token);
    return unquoted(token);
  }
  const unquoted = (token: string) => (token.startsWith('"') ? token.slice(1, -1) : token);

  expectToken("filter");
  const found = steps();
  if (at !== tokens.length) throw new Error(`nothing is wanted behind the filter, not ${tokens[at]}`);
  return found;
}

export type Event = { tags: string[]; [field: string]: unknown };

/** Runs an event through the steps. The http filter and the mutate filter do as Logstash's own do with these settings. */
export async function runFilter(
  steps: readonly Step[],
  event: Event,
  environment: Readonly<Record<string, string>>,
): Promise<Event> {
  for (const step of steps) {
    if ("condition" in step) {
      if (isTrue(step.condition, event)) await runFilter(step.steps, event, environment);
    } else if (step.name === "http") await runHttp(step.settings, event, environment);
    else if (step.name === "mutate") runMutate(step.settings, event);
    else throw new Error(`no ${step.name} here`);
  }
  return event;
}

/** `or` of `[a][b]`, `![a][b]`, `[a][b] != "text"` and `and` of the same. A null or missing field is not equal to a text. */
function isTrue(condition: string, event: Event): boolean {
  return condition.split(" or ").some((part) => part.split(" and ").every((test) => isOneTrue(test.trim(), event)));
}

function isOneTrue(test: string, event: Event): boolean {
  const [, not, path = "", text] = /^(!?)\s*((?:\[[^\]]+\])+)(?:\s*!=\s*"([^"]*)")?$/.exec(test) ?? [];
  if (path === "") throw new Error(`a condition that is not known here: ${test}`);
  const value = fieldOf(path, event);
  if (text !== undefined) return value !== text;
  const isThere = value !== undefined && value !== null && value !== false;
  return not === "!" ? !isThere : isThere;
}

function fieldOf(path: string, event: Event): unknown {
  return [...path.matchAll(/\[([^\]]+)\]/g)].reduce<unknown>(
    (value, [, name]) =>
      typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name ?? ""] : undefined,
    event,
  );
}

async function runHttp(settings: Plugin["settings"], event: Event, environment: Readonly<Record<string, string>>) {
  const fill = (value: Value): Value => {
    if (typeof value === "string") {
      return value
        .replaceAll(/\$\{(\w+)\}/g, (_, name: string) => environment[name] ?? "")
        .replaceAll(/%\{((?:\[[^\]]+\])+)\}/g, (_, path: string) => String(fieldOf(path, event)));
    }
    if (typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner)]));
  };
  const tag = (name: string) => event.tags.push(...(settings[name] as readonly string[]));
  if (settings["follow_redirects"] !== false) throw new Error("redirects are followed unless they are switched off");
  const { url, verb, headers, body } = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [name, fill(value)]),
  );
  let response: Response;
  try {
    response = await fetch(String(url), {
      method: String(verb),
      redirect: "manual",
      headers: { "Content-Type": "application/json", ...(headers as Record<string, string>) },
      body: JSON.stringify(body),
    });
  } catch {
    tag("tag_on_request_failure");
    return;
  }
  const text = await response.text();
  if (response.status < 200 || response.status > 299) {
    tag("tag_on_request_failure");
    return;
  }
  const isJson = (response.headers.get("content-type") ?? "")
    .split(";")
    .some((part) => part.trim() === "application/json");
  if (!isJson) {
    event[String(settings["target_body"])] = text.trim();
    return;
  }
  try {
    event[String(settings["target_body"])] = JSON.parse(text);
  } catch {
    tag("tag_on_json_failure");
  }
}

function runMutate(settings: Plugin["settings"], event: Event) {
  for (const field of (settings["remove_field"] ?? []) as readonly string[]) delete event[field];
  event.tags.push(...((settings["add_tag"] ?? []) as readonly string[]));
}

import { expect, test } from "vitest";
import { commandActor } from "../../src/cli/person.ts";

const accounts = "root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n";

function actor(loginUid: string | null, sudoUser?: string): string {
  return commandActor({ SUDO_USER: sudoUser }, (file) => {
    if (file === "/etc/passwd") return accounts;
    if (loginUid === null) throw new Error("no such file");
    return loginUid;
  });
}

test("a command is by the person who logged in, also through sudo and su", () => {
  expect(actor("1001")).toBe("cli:alice");
  expect(actor("1001\n", "bob")).toBe("cli:alice");
  expect(actor("1002")).toBe("cli:1002");
});

test("without a log-in it is by the person who called sudo", () => {
  expect(actor("4294967295", "bob")).toBe("cli:bob");
  expect(actor(null, "bob")).toBe("cli:bob");
  expect(actor("0", "bob")).toBe("cli:bob");
});

test("root, nobody and a text that is no account name are no person", () => {
  for (const sudoUser of [undefined, "", "root", "a b", "jane.doe@example.com", "x\ny", "-"]) {
    expect(actor("4294967295", sudoUser)).toBe("cli");
  }
  expect(actor("0")).toBe("cli");
  expect(actor(null)).toBe("cli");
});

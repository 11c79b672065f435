import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { detectPlan } from "../../../src/corpus/formats/detect.ts";
import { reasonToLeaveOut } from "../../../src/corpus/formats/log-folder.ts";
import { sampleOf } from "../../../src/corpus/formats/sample.ts";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { noWishes } from "../../helpers/read-format.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";
const trap = "trap@example.net";

function reasonFor(path: string, text: string): string | null {
  const sample = sampleOf(path.split("/").at(-1) ?? null, Buffer.from(text), true);
  return reasonToLeaveOut(path, sample, detectPlan(sample, noWishes)?.format ?? null);
}

const netscape = `.a.example\tTRUE\t/\tFALSE\t1799999999\tmail\t${jane}\n.b.example\tFALSE\t/\tTRUE\t0\tu\t${john}\n`;
const combos = `${jane}:hunter2\n${john}:hunter3\n`;
const addresses = Array.from({ length: 20 }, (_, index) => `u${index}@example.com\n`).join("");
const visited = `https://mail.example/?user=${jane}\nhttps://mail.example/?user=${john}\n`;

describe("left out", () => {
  test.each([
    ["m1/Cookies/Google_[Chrome]_Default Network.txt", netscape, "cookies"],
    ["a.txt", netscape, "cookies"],
    ["cookies.json", `[{"domain":".a.example","httpOnly":true,"name":"u","value":"${jane}"}]`, "cookies"],
    ["m1/Autofills/a.txt", `Name: email\nValue: ${jane}\n=====\nName: login\nValue: ${john}\n`, "autofill data"],
    ["_AllForms_list.txt", `Form: email\nValue: ${jane}\n\n`, "autofill data"],
    ["m1/autofill/Google Chrome_Default.txt", `email\t${jane}\nname\tJane\nlogin\t${john}\n`, "autofill data"],
    ["m1/ImportantAutofills.txt", `email: ${jane}\nlogin: ${john}\n`, "autofill data"],
    ["m1/History/a.txt", visited, "browsing history"],
    ["m1/history.txt", `URL: https://a.example/\nTitle: Inbox - ${jane}\nVisits: 3\n`, "browsing history"],
    [
      "m1/UserInformation.txt",
      `IP: 192.0.2.7\nUserName: ${jane}\nMail: ${john}\nHWID: A\n`,
      "information about a system",
    ],
    ["m1/system_info.txt", `- HWID: A\n- UserName: ${jane}\n- Owner: ${john}\n`, "information about a system"],
    ["m1/InstalledSoftware.txt", `1) Tool by ${jane}\n2) Other by ${john}\n3) x\n`, "a list of programs"],
    ["m1/Clipboard.txt", `${jane}\n`, "a clipboard"],
    ["m1/FileGrabber/Desktop/contacts.txt", `${jane}\n${john}\n`, "a file of the owner of the machine"],
    ["m1/BruteList.txt", `hunter2\n${jane}\nsecret\n${john}\nabc\n`, "a list of secrets"],
    ["out/passwords.txt", `hunter2\n${jane}\nsecret\n${john}\nabc\n`, "a list of secrets"],
    ["README.md", `bought from ${jane}\nor ${john}\n`, "a note"],
    ["m1/Copyright.txt", `Logs by @somebody\nmail ${jane} or ${john}\n`, "a note"],
    ["query.sh", `mail ${jane} < x\nmail ${john} < x\n`, "a script"],
    ["tool", `#!/bin/sh\nmail ${jane} < x\nmail ${john} < x\n`, "a script"],
  ])("%s", (path, text, reason) => {
    expect(reasonFor(path, text)).toBe(reason);
  });
});

describe("read", () => {
  test.each([
    ["history.txt", combos],
    ["cookies.txt", combos],
    ["m1/Autofills/a.txt", combos],
    ["m1/FileGrabber/Desktop/notes.txt", combos],
    ["README", combos],
    ["passwords.txt", combos],
    ["software.txt", `https://a.example/:${jane}:x9y8\nhttps://b.example/:${john}:x9y7\n`],
    ["m1/Passwords.txt", `URL: https://a.example/\nLogin: ${jane}\nPassword: x\n`],
    ["m1/Browser/Logins/Google_[Chrome]_Default.txt", `URL: https://a.example/\nLogin: ${jane}\nPassword: x\n`],
    ["m1/Keychain Data.txt", `URL: https://a.example/\nLogin: ${jane}\nPassword: x\n`],
    ["history.txt", addresses],
    ["downloads/a.txt", addresses],
    ["autofill.txt", addresses],
    ["passwords.txt", addresses],
    ["data/c/c", addresses],
    ["notes.sql", `INSERT INTO a VALUES (1,'${jane}');\nINSERT INTO a VALUES (1,'${john}');\n`],
    ["history.csv", `email,password\n${jane},x\n`],
  ])("%s", (path, text) => {
    expect(reasonFor(path, text)).toBe(null);
  });
});

describe("a folder", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  function folderOf(files: Readonly<Record<string, string>>): string {
    const folder = mkdtempSync(join(tmpdir(), "xpose-logs-"));
    folders.push(folder);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return folder;
  }

  const log = {
    "US[A1]_2024/Passwords.txt": `URL: https://a.example/\nLogin: ${jane}\nPassword: x\n=====\n`,
    "US[A1]_2024/Autofills/a.txt": `Name: email\nValue: ${trap}\n=====\n`,
    "US[A1]_2024/Cookies/a.txt": netscape.replaceAll(jane, trap).replaceAll(john, trap),
    "US[A1]_2024/UserInformation.txt": `Mail: ${trap}\nUserName: ${trap}\nHWID: 1\n`,
    "US[A1]_2024/BruteList.txt": `hunter2\n${trap}\nsecret\n`,
    "US[A1]_2024/ProcessList.txt": "ID: 4, Name: System\n",
    "m2/_AllPasswords_list.txt": `URL: https://b.example/\nLogin: ${john}\nPassword: x\n\n`,
    "Copyright.txt": `Telegram: @somebody\nmail ${trap}\n`,
  };

  test.each([undefined, "stealer" as const])("of logs gives only its logins, with format %s", async (format) => {
    const desk = openDesk();
    const report = await desk.importFile(folderOf(log), format === undefined ? {} : { format });
    expect(report).toMatchObject({ read: 2, imported: 2, skipped: {}, formats: { stealer: 2 } });
    expect(report.leftOut.map(({ file }) => file).sort()).toEqual(
      Object.keys(log)
        .filter((file) => !/passwords/i.test(file))
        .sort(),
    );
    expect(await desk.lookup(jane)).toMatchObject([{ category: "infostealer", subjects: ["a.example"] }]);
    expect(await desk.lookup(trap)).toEqual([]);
  });

  test("of combos gives all of them, whatever the file names", async () => {
    const desk = openDesk();
    const files = {
      README: "Usage: ./query.sh ADDRESS\nContact: nobody\n",
      "query.sh": "#!/bin/sh\ngrep -r $1 data\n",
      "count_total.sh": "find data | wc -l\n",
      "imported.log": "one.txt\n",
      "data/j/a": `${jane}:x\n`,
      "data/j/o/history.txt": `${john}:x\n`,
      "data/symbols": "_x@example.com:x\n",
      "data/0/1": "",
    };
    for (const options of [{}, { format: "combo" as const }]) {
      const report = await desk.importFile(folderOf(files), { name: `n${Object.keys(options).length}`, ...options });
      expect(report).toMatchObject({ read: 3, imported: 3, skipped: {}, formats: { combo: 3 } });
    }
  });
});

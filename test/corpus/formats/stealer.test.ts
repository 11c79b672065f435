import { describe, expect, test } from "vitest";
import { openDesk } from "../../helpers/corpus-desk.ts";
import { detectedFormat, told } from "../../helpers/told-records.ts";

const jane = "jane.doe@example.com";
const john = "john@example.org";

/** Two logins with these labels, in lines that end with `end`. */
function blocks(site: string, login: string, secret: string, between = "\n", end = "\n"): string {
  return [
    [`${site}https://portal.example/login`, `${login}${jane}`, `${secret}Hunter2`],
    [`${site}http://www.shop.example:8443/`, `${login}${john}`, `${secret}Hunter3`],
  ]
    .map((lines) => `${lines.join(end)}${end}`)
    .join(between);
}

const both = [`${jane} portal.example`, `${john} shop.example`];

describe("labels", () => {
  test.each([
    ["URL: ", "Username: ", "Password: "],
    ["url:", "login:", "password:"],
    ["HOST:\t\t", "USER:\t\t", "PASS:\t\t"],
    ["Hostname: ", "USER LOGIN: ", "USER PASSWORD: "],
    ["UR1: ", "U53RN4M3: ", "P455W0RD: "],
    ["Website = ", "User Name = ", "Passwd = "],
    ["Site=", "user_name=", "pwd="],
    ["Domain => ", "E-Mail => ", "PW => "],
    ["Origin :: ", "Account :: ", "Pass :: "],
    ["Link : ", "Mail : ", "Password : "],
    ["Web\t", "User\t", "Passwd\t"],
    ["URI - ", "Usr - ", "Pwd - "],
    ["Host -> ", "Login -> ", "Pass -> "],
    ["[URL] ", "[Login] ", "[Password] "],
    ["[URL]: ", "[Login]: ", "[Password]: "],
    ["- URL: ", "- Login: ", "- Password: "],
    ["• URL: ", "• Login: ", "• Password: "],
    ["🔗 URL: ", "👤 Login: ", "🔑 Password: "],
    ["**URL:** ", "**Login:** ", "**Password:** "],
    ["1) URL: ", "2) Login: ", "3) Password: "],
    ["\t [*] URL\t: ", "\t [*] Login\t: ", "\t [*] Password\t: "],
    ['"URL": "', '"Login": "', '"Password": "'],
    ["URL               : ", "User Name         : ", "Password          : "],
    ["Origin URL: ", "Username/Email: ", "Password: "],
    ["ＵＲＬ：", "Ｌｏｇｉｎ：", "Ｐａｓｓ："],
    ["Sitio web: ", "Usuario: ", "Contraseña: "],
    ["Página: ", "Correo electrónico: ", "CONTRASENA: "],
    ["Site: ", "Usuário: ", "Senha: "],
    ["Servidor: ", "Nome de utilizador: ", "Palavra-passe: "],
    ["Site web : ", "Nom d'utilisateur : ", "Mot de passe : "],
    ["Lien\u00a0: ", "Identifiant\u00a0: ", "MDP\u00a0: "],
    ["Webseite: ", "Benutzername: ", "Passwort: "],
    ["Domäne: ", "E-Mail-Adresse: ", "Kennwort: "],
    ["Sito: ", "Nome utente: ", "Parola d'ordine: "],
    ["Site adresi: ", "Kullanıcı Adı: ", "Şifre: "],
    ["BAĞLANTI: ", "KULLANICI ADI: ", "ŞİFRE: "],
    ["Сайт: ", "Логин: ", "Пароль: "],
    ["ССЫЛКА: ", "ИМЯ ПОЛЬЗОВАТЕЛЯ: ", "ПАРОЛЬ: "],
    ["Strona: ", "Nazwa użytkownika: ", "Hasło: "],
    ["Посилання: ", "Ім'я користувача: ", "Пароль: "],
    ["网址：", "用户名：", "密码："],
    ["【网站】", "【账号】", "【密码】"],
  ])("%s%s%s", async (site, login, secret) => {
    expect((await told(blocks(site, login, secret))).records).toEqual(both);
  });

  test.each([
    "Soft: Chrome [Default]\n",
    "Browser: Google Chrome\nProfile: Default\n",
    'App: "Edge"\n',
    '["Chrome" = "Default"]\n',
    "Seller: @somebody\nLog Tools: https://t.me/somebody\n",
    "Браузер: Chrome\n",
  ])("a program before or after: %s", async (program) => {
    const text = blocks("URL: ", "Login: ", "Password: ");
    const before = text.replaceAll("URL:", `${program}URL:`);
    const behind = text.replaceAll(/(Password: \w+\n)/g, `$1${program}`);
    for (const one of [before, behind, `${before}=====\n${behind}`]) {
      expect([...new Set((await told(one)).records)]).toEqual(both);
    }
  });
});

test("a mixture of families and orders, with and without separators", async () => {
  const text = `
  ___ Logs by nobody ___
*****************
Free Logs: nowhere.example

URL: https://portal.example/login
Username: ${jane}
Password: one
Application: Google_[Chrome]_Default
===============
SOFT:\tEdge
Host:\thttps://www.shop.example:443/a
USER LOGIN:\t${john}
USER PASSWORD:\ttwo
more of the secret: ${jane}

UR1: https://mail.example
PASS: three
Login: JANE.DOE@example.com
---
U53RN4M3: nobody
P455W0RD: four
URL:
USER: nick
PASS:
URL: https://portal.example/a
Username: ${jane}
Password: five
URL: https://portal.example/b
Username: ${john}
Password: six
`;
  for (const end of ["\n", "\r\n"]) {
    expect(await told(text.replaceAll("\n", end))).toEqual({
      records: [
        `${jane} portal.example`,
        `${john} shop.example`,
        `${jane} mail.example`,
        "no_email",
        `${jane} portal.example`,
        `${john} portal.example`,
      ],
      furtherAddresses: 1,
    });
  }
});

describe("lines", () => {
  test.each(["\n", "\r\n", "\r\r\n", "\r"])("end with %j", async (end) => {
    expect((await told(blocks("URL: ", "Login: ", "Password: ", end, end))).records).toEqual(both);
    expect((await told(blocks("URL: ", "Login: ", "Password: ", `====${end}`, end))).records).toEqual(both);
  });

  test.each([
    "===============",
    "-----",
    "***",
    "- - - - -",
    "#~#~#~#",
    "━━━━━━━━━━",
    "═════",
    "─────",
    "—————",
    "▬▬▬▬▬",
    "==== Chrome ====",
    "──── 12 ────",
  ])("a row ends a block: %s", async (row) => {
    const text = `Login: ${jane}\nPassword: a\n${row}\nURL: https://shop.example/\nLogin: ${john}\nPassword: b\n${row}\n`;
    expect((await told(text, "stealer")).records).toEqual([jane, `${john} shop.example`]);
  });

  test("blank lines within blocks do not end them when rows separate the blocks", async () => {
    const text = blocks("URL: ", "Login: ", "Password: ", "=====\n", "\n\n");
    expect((await told(text)).records).toEqual(both);
  });

  test("double-spaced lines are read, with more or no space between blocks", async () => {
    expect((await told(blocks("URL: ", "Login: ", "Password: ", "\n\n", "\n\n"))).records).toEqual(both);
    expect((await told(blocks("URL: ", "Login: ", "Password: ", "", "\n\n"))).records).toEqual(both);
  });

  test("a value may be on the line after its label", async () => {
    expect((await told(blocks("URL:\n", "Login:\n", "Password:\n"))).records).toEqual(both);
  });

  test("of HTML end with <br>, and blocks with <hr>", async () => {
    const text = blocks("URL:  ", "Username: ", "Password: ", "<hr>\r\n", "<br>\r\n");
    const html = `<html>Time: 1<br>User Name: nobody<br>Computer Name: pc<br><hr>${text}<hr></html>`;
    expect((await told(html)).records).toEqual(["no_email", ...both].slice(1));
  });
});

describe("a login in one line", () => {
  test.each([" | ", "\t", ", ", ",", " ", ";", " / ".replace("/", "|")])("separated by %j", async (separator) => {
    const line = (site: string, address: string) =>
      [`URL: ${site}`, `Username: ${address}`, "Password: Hunter2"].join(separator);
    const text = `${line("https://portal.example/login", jane)}\n${line("https://www.shop.example/a?x=1", john)}\n`;
    expect((await told(text)).records).toEqual(both);
  });

  test("in any order of labels, with or without a blank", async () => {
    const text = [
      `login:${jane} password:Hunter2 url:https://portal.example/`,
      `password:Hunter2 url:http://www.shop.example:8443/ login:${john}`,
      "url:https://forum.example/ login:nick password:Hunter2",
      "",
    ].join("\n");
    expect((await told(text)).records).toEqual([...both, "no_email"]);
  });

  test("with the URL before the labels", async () => {
    const text = `https://portal.example/ | Login: ${jane} | Pass: a\nhttp://www.shop.example/ Login: ${john} Pass: b\n`;
    expect((await told(text)).records).toEqual(both);
  });

  test("or in two lines", async () => {
    const text = (url: string, login: string) => `URL: ${url}\nLogin: ${login} | Password: x\n`;
    for (const between of ["\n", "=====\n", ""]) {
      const { records } = await told(
        `${text("https://portal.example/", jane)}${between}${text("https://shop.example/", john)}`,
      );
      expect(records).toEqual(both);
    }
  });

  test("a secret that looks like a login is not read as one", async () => {
    const text = [
      `URL: https://portal.example/ | Login: ${jane} | Password: a | Login: ${john}`,
      `URL: https://portal.example/ | Password: a | Login: ${john} | Login: ${jane}`,
      "",
    ].join("\n");
    expect(await told(text)).toEqual({ records: [`${jane} portal.example`, "no_email"], furtherAddresses: 3 });
  });

  test("nor is a secret in blocks of such lines", async () => {
    const text = `URL: https://a.example/\nLogin: nick | Password: x, login: ${john}\n\n`;
    expect(await told(text.repeat(2))).toEqual({ records: ["no_email", "no_email"], furtherAddresses: 2 });
  });
});

describe("no login gets the site of another", () => {
  const only = (login: string) => `Login: ${login}\nPassword: x\n`;
  const whole = (login: string, site: string) => `URL: https://${site}/\n${only(login)}`;
  const reversed = (login: string, site: string) => `Password: x\nLogin: ${login}\nURL: https://${site}/\n`;

  test("when the site comes last and a block lacks it", async () => {
    const text = `Username: ${jane}\nPassword: a\nURL: https://a.example/\nUsername: ${john}\nPassword: b\n`;
    expect((await told(`${text}${text}`, "stealer")).records).toEqual([
      `${jane} a.example`,
      john,
      `${jane} a.example`,
      john,
    ]);
  });

  test("when the site comes first and a block lacks it", async () => {
    const text = `${whole(jane, "a.example")}${only(john)}`;
    expect((await told(`${text}${text}`)).records).toEqual([`${jane} a.example`, john, `${jane} a.example`, john]);
  });

  test("when a block lacks the login and the next block the site", async () => {
    const text = `${whole(jane, "a.example")}URL: https://b.example/\nPassword: x\n${only(john)}`;
    expect((await told(text)).records).toEqual([`${jane} a.example`, "no_email", john]);
  });

  test("when a separator is missing", async () => {
    const regular = `${whole(jane, "a.example")}=====\n`.repeat(3);
    const records = [`${jane} a.example`, `${jane} a.example`, `${jane} a.example`];
    const read = async (text: string) => (await told(`${regular}${text}=====\n`)).records.slice(records.length);
    expect(await read(`${only(john)}${whole(jane, "b.example")}`)).toEqual([john, jane]);
    expect(await read(`${whole(john, "b.example")}${only(jane)}`)).toEqual([`${john} b.example`, jane]);
    expect(await read(`${reversed(john, "b.example")}${whole(jane, "c.example")}`)).toEqual([
      john,
      `${jane} c.example`,
    ]);
    expect(await read(`URL: https://b.example/\nPassword: x\n${only(john)}`)).toEqual([john]);
  });

  test("and the order of labels may vary between blocks with separators", async () => {
    const text = [only(jane), whole(jane, "a.example"), reversed(john, "b.example"), whole(jane, "c.example")];
    expect((await told(text.join("━━━━\n"))).records).toEqual([
      jane,
      `${jane} a.example`,
      `${john} b.example`,
      `${jane} c.example`,
    ]);
  });

  test("two sites in one block: the first valid one, if it is certainly one block", async () => {
    const text = (site: string) => `Origin URL: chrome://settings\nAction URL: ${site}\nLogin: ${jane}\nPassword: x\n`;
    expect((await told(`${text("https://a.example/")}\n${text("https://b.example/")}`)).records).toEqual([
      `${jane} a.example`,
      `${jane} b.example`,
    ]);
  });
});

describe("logins", () => {
  test.each([
    [jane, jane],
    [`  JANE.DOE@EXAMPLE.COM  `, jane],
    [`"${jane}",`, jane],
    [`<${jane}>`, jane],
    [`mailto:${jane}`, jane],
    [`CORP\\${jane}`, jane],
    [`CORP\\nina@example.com`, "nina@example.com"],
    [`${jane} (Work profile)`, jane],
    [`${jane} [Default]`, jane],
    [`Jane Doe <${jane}>`, jane],
    [`${jane}, ${john}`, jane],
    ["user@bücher.example", "user@xn--bcher-kva.example"],
    ["nick", "no_email"],
    ["", "no_email"],
    ["jane@nowhere", "invalid_email"],
    ["@jane", "invalid_email"],
    [`nick ${jane}`, "no_email"],
    [`https://shop.example/?user=${jane}`, "no_email"],
  ])("%s", async (login, record) => {
    const { records } = await told(`URL: https://a.example/\nLogin: ${login}\nPassword: x\n=====\n`, "stealer");
    expect(records).toEqual([record.includes("@") ? `${record} a.example` : record]);
  });

  test("an address repeated in a block counts once", async () => {
    const text = `Email: ${jane}\nServer: mail.example.com\nUser: ${jane}\nPassword: x\n=====\n`;
    expect(await told(text)).toEqual({ records: [`${jane} mail.example.com`], furtherAddresses: 0 });
  });

  test("a heading is not a label", async () => {
    const text = `Passwords:\nURL: https://a.example/\nLogin: ${jane}\nPassword: x\n\nCookies:\n`;
    expect((await told(text)).records).toEqual([`${jane} a.example`]);
  });

  test("an address beside a nickname in the same block", async () => {
    const text = (lines: string) => `URL: https://a.example/\n${lines}\n=====\n`.repeat(2);
    const nick = "Username: nick";
    for (const lines of [
      `${nick}\nEmail: ${jane}\nPassword: x`,
      `Email: ${jane}\n${nick}\nPassword: x`,
      `${nick}\nPassword: x\nEmail: ${jane}`,
    ]) {
      expect((await told(text(lines))).records, lines).toEqual([`${jane} a.example`, `${jane} a.example`]);
    }
  });

  test("an address in a secret, a URL, a banner or an unlabelled line is only counted", async () => {
    const text = `mail seller@example.net
URL: https://a.example/signin?email=${john}
Login: ${jane}
Password: ${john}
more of it: ${john}
=====
URL: https://b.example/
Login: nick
Password: ${john}
=====
`;
    expect(await told(text)).toEqual({ records: [`${jane} a.example`, "no_email"], furtherAddresses: 5 });
  });

  test("the key in the URL of an app is not an address", async () => {
    const text = `URL: android://aB1/c==@com.example.app/\nLogin: ${jane}\nPassword: x\n\n`;
    expect(await told(text)).toEqual({ records: [`${jane} com.example.app`], furtherAddresses: 0 });
  });
});

describe("sites", () => {
  const read = async (lines: string) => {
    const { records } = await told(`${lines}\nLogin: ${jane}\nPassword: x\n=====\n`.repeat(2));
    return records[0];
  };

  test.each([
    ["Host: ftp.example.org\nPort: 21", "ftp.example.org"],
    ["Host: ftp.corp.example\nPort: 21", "ftp.corp.example"],
    ["Host: sftp.example.net:2222\nPort: 2222", "sftp.example.net"],
    ["SMTP Server: smtp.example.org\nSMTP Port: 587", "smtp.example.org"],
    ["URL: https://admin%40shop.example:x@portal.example/", "portal.example"],
    ["URL: https://https://portal.example/", "portal.example"],
    ['URL: "https://portal.example/",', "portal.example"],
    ["URL: https://intranet/", "intranet"],
    ["Host: 192.0.2.1:8080", ""],
    ["URL: https://onlyfans.com/", ""],
    ["URL: chrome://FirefoxAccounts", ""],
    [`URL: https://a.example/\nHost: b.example.com`, "a.example"],
    ["Site: li.wang", ""],
    ["Site: dump.zip", ""],
    ["URL: ", "(combo)"],
    [`URL: ${john}`, ""],
  ])("%s", async (lines, site) => {
    expect(await read(lines)).toBe([jane, site].filter(Boolean).join(" "));
  });
});

describe("the format of a record", () => {
  test("a login with a secret in a log is stealer, with or without a site", async () => {
    const text = `Soft: Outlook\nLogin: ${jane}\nPassword: x\n━━━\nHost: https://a.example/\nLogin: ${john}\nPassword: x\n`;
    expect((await told(text)).records).toEqual([jane, `${john} a.example`]);
  });

  test("logins and secrets without sites and programs are combo, unless the operator names the format", async () => {
    const text = `Email: ${jane}\nPassword: x\n\nEmail: ${john}\nPassword: y\n\n`;
    expect((await told(text)).records).toEqual([`${jane} (combo)`, `${john} (combo)`]);
    expect((await told(text, "stealer")).records).toEqual([jane, john]);
  });

  test("and if most are combo, a login with a site is still stealer", async () => {
    const text = `Email: ${jane}\nPassword: x\n\n`.repeat(3);
    const { records } = await told(`${text}Email: ${john}\nPassword: y\nURL: https://a.example/\n`);
    expect(records.at(-1)).toBe(`${john} a.example`);
    const street = `Email: ${john}\nPassword: y\nSite: 12 Main Street\n`;
    expect((await told(`${text}${street}`)).records.at(-1)).toBe(`${john} (combo)`);
  });

  test.each(["", "null", "(null)", "N/A", "[NOT_SAVED]", "xxxx"])(
    "an address without a secret is any: %j",
    async (secret) => {
      const last = `URL: https://b.example/\nLogin: ${john}\nPassword: ${secret}\n`;
      const { records } = await told(`${blocks("URL: ", "Login: ", "Password: ")}\n${last}`);
      expect(records.at(-1)).toBe(`${john} (any)`);
    },
  );

  test("a contact without site and secret is not a login", async () => {
    const text = `Telegram: @seller\nMail: seller@example.net\n\n${blocks("URL: ", "Login: ", "Password: ")}`;
    expect(await told(text)).toEqual({ records: both, furtherAddresses: 1 });
  });

  test("an import sets category, site and origin", async () => {
    const desk = openDesk();
    const text = `URL: https://portal.example/\nUsername: ${jane}\nPassword: pw\n\nURL: https://b.example/\nUsername: ${john}\nPassword:\n`;
    expect(await desk.importText(text, {}, "dump.txt")).toMatchObject({ read: 2, imported: 2 });
    expect(await desk.lookup(jane)).toEqual([
      {
        category: "infostealer",
        severity: "high",
        title: "Credentials for portal.example in shop",
        subjects: ["portal.example"],
        sourceUrl: null,
        years: [],
        details: [{ file: "dump.txt", format: "stealer" }],
      },
    ]);
    expect(await desk.lookup(john)).toMatchObject([
      { category: "breach", title: "Present in shop", subjects: ["shop"] },
    ]);
    expect(desk.corpora.get("shop")).toMatchObject({ confidence: 0.7, origin: "stealer" });
  });
});

describe("other texts are not mistaken for a log", () => {
  const settings = `host: db.example.com\nuser: ${jane}\npassword: x\n`;
  test.each([
    ["contacts", null, `Name: Jane\nEmail: ${jane}\nPhone: 1\n\nName: John\nEmail: ${john}\n`],
    ["mail", null, `From: ${jane}\nTo: ${john}\nSubject: x\n\nYour password: x\n`],
    ["HTTP", null, `GET / HTTP/1.1\nHost: a.example\nFrom: ${jane}\nUser-Agent: x\nAuthorization: Basic x\n`],
    ["vCard", "a.vcf", `BEGIN:VCARD\nFN:x\nEMAIL:${jane}\nEND:VCARD\n`],
    ["LDIF", null, `dn: uid=x,dc=example\nmail: ${jane}\nuserPassword:: eA==\n\ndn: uid=y\nmail: ${john}\n`],
    ["YAML", "a.yaml", settings],
    ["YAML without a name", null, `database:\n  ${settings.replaceAll("\n", "\n  ").trim()}\n  pool: 5\n`],
    ["INI", null, `[mail]\nserver=smtp.example.com\nuser=${jane}\npassword=x\n\n[log]\nlevel=1\n`],
    ["settings of a shell", ".env", `MAIL_HOST=a\nMAIL_USERNAME=${jane}\nMAIL_PASSWORD=x\n`],
    ["settings of a shell, short names", "x.env", `HOST=a\nUSERNAME=${jane}\nPASSWORD=x\n`],
    ["ulp", null, `url:login:password\nhttps://a.example/:${jane}:x\nhttps://b.example/:${john}:y\n`],
    ["ulp with a label", null, `url:https://a.example/:${jane}:x\nurl:https://b.example/:${john}:y\n`],
    ["combos", null, `user:${jane}\n${john}:pass\nlogin:x\n`],
    ["combos of common words", null, "user:x\nuser:y\npass:z\nlogin:a\nmail:b\nadmin:c\n"],
    ["CSV", null, `url,login,password\nhttps://a.example/,${jane},x\n`],
    ["JSON", null, `{"url":"https://a.example/","login":"${jane}","password":"x"}\n`],
    ["JSON in lines", null, `{\n  "url": "https://a.example/",\n  "login": "${jane}",\n  "password": "x"\n}\n`],
    ["form data", null, `Name: email\nValue: ${jane}\n=====\nName: password\nValue: x\n=====\n`],
    ["prose", null, `Login: write to ${jane}\nand ask\nfor a password\nthen\ngo\non\nPassword: none\nand\nso\non\n`],
  ])("%s", (_kind, name, text) => {
    expect(detectedFormat(text, name)).not.toBe("stealer");
  });

  test.each([
    ["the usual blocks", "Passwords.txt", blocks("URL: ", "Login: ", "Password: ")],
    ["a single block", "Passwords.txt", `URL: https://a.example/\nLogin: ${jane}\nPassword: x\n`],
    ["a single login without a site", null, `Username: ${jane}\nPassword: x\n`],
    ["blocks below a banner", null, `${"* art *\n".repeat(20)}\n${blocks("URL: ", "Login: ", "Password: ")}`],
    ["blocks of nicknames", null, blocks("URL: ", "Login: ", "Password: ").replaceAll("@", "_")],
  ])("but %s are recognised", (_kind, name, text) => {
    expect(detectedFormat(text, name)).toBe("stealer");
  });
});

describe("cost", () => {
  test("logins without at-signs cost no more than others", async () => {
    const text = (login: string) => `URL: https://a.example/\nLogin: ${login}\nPassword: x\n=====\n`.repeat(30_000);
    const measure = async (login: string) => {
      const startedAt = performance.now();
      await told(text(login), "stealer");
      return performance.now() - startedAt;
    };
    await measure(jane);
    // Searching for the next sign beyond the value would take a hundred times as long.
    expect(await measure("nickname")).toBeLessThan(3 * (await measure(jane)));
  });
});

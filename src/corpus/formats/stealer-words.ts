/**
 * The meaning of the value after a label. `software` is the program that stored the login; `other` values are ignored.
 */
export type LabelKind = "site" | "login" | "secret" | "software" | "port" | "other";

export type Label = { readonly kind: LabelKind; readonly word: string };

/** Spellings used by the stealer families, in several languages. `foldWord` removes irrelevant differences. */
const spellings: Readonly<Record<LabelKind, string>> = {
  site: `
    url, ur1, uri, link, web, website, web site, website url, web address, site, site url, site address, webpage,
    page url, host, host name, hostname, host url, domain, domain name, origin, origin url, action url, login url,
    signon realm, sign on realm, form url, server, server name, server address, ftp server, ftp host, imap server,
    imap host, smtp server, smtp host, pop3 server, pop3 host, mail server,
    sitio, sitio web, pagina, pagina web, enlace, servidor, dominio, direccion web, direccion url,
    endereço web, endereço url, hiperligação, domínio, anfitrião,
    lien, site web, serveur, domaine, hôte, adresse web, adresse url, page web,
    webseite, seite, internetseite, webadresse, domäne, domaene, rechner, server-adresse,
    sito, sito web, pagina web, indirizzo web, indirizzo url, collegamento, dominio, server web,
    web sitesi, site adresi, internet sitesi, web adresi, url adresi, bağlantı, sunucu, alan adı, adres url,
    сайт, веб-сайт, ссылка, урл, адрес сайта, хост, домен, сервер, страница,
    strona, strona www, strona internetowa, witryna, adres www, adres url, adres strony, serwer, domena, host url,
    посилання, вебсайт, веб-сайт, адреса сайту,
    网址, 网站, 链接, 域名, 主机, 站点, 網址, 網站
  `,
  login: `
    login, log in, login name, login id, login email, login mail, login user, login username, user, user login,
    user name, username, user id, user email, user mail, user account, usr, usr name, uname, u53rn4m3, us3r,
    email, e-mail, mail, email address, e-mail address, mail address, email id, email login, account, account name,
    account id, acc, acct, nick, nickname, username email, email username, login/email, email/login, username/email,
    email/username, user/email, email/user, email or username, username or email, imap user, smtp user, pop3 user,
    ftp user, imap username, smtp username, pop3 username,
    usuario, nombre de usuario, nombre usuario, usuario email, correo, correo electrónico, e-mail usuario, cuenta,
    dirección de correo, dirección de correo electrónico,
    usuário, nome de usuário, utilizador, nome de utilizador, conta, correio eletrônico, correio electrónico,
    endereço de email, endereço de e-mail,
    utilisateur, nom utilisateur, nom d'utilisateur, identifiant, courriel, compte, adresse e-mail, adresse mail,
    adresse électronique, mél, pseudo,
    benutzer, benutzername, nutzer, nutzername, anmeldename, konto, kontoname, e-mail-adresse, mailadresse, kennung,
    benutzerkennung, benutzerkonto,
    utente, nome utente, indirizzo email, indirizzo e-mail, indirizzo mail, posta, posta elettronica, conto,
    kullanıcı, kullanıcı adı, e-posta, eposta, e-posta adresi, hesap, hesap adı, mail adresi,
    логин, пользователь, имя пользователя, юзер, юзернейм, почта, эл. почта, электронная почта, емейл, е-мейл, имейл,
    мейл, адрес электронной почты, аккаунт, учетная запись, учётная запись, логін,
    użytkownik, nazwa użytkownika, adres email, adres e-mail, adres mail, poczta,
    користувач, ім'я користувача, пошта, електронна пошта, обліковий запис,
    用户名, 用户, 账号, 帐号, 账户, 登录名, 邮箱, 电子邮件, 用戶名, 帳號, 郵箱
  `,
  secret: `
    pass, password, passwd, passw, pass word, pwd, pw, psw, psswd, p455w0rd, p4ssw0rd, pa55w0rd, user password,
    user pass, login password, login pass, account password, email password, mail password, imap password,
    smtp password, pop3 password, ftp password, passphrase, pass phrase, passcode, secret,
    contraseña, contrasenya, clave, clave de acceso, senha, palavra-passe, palavra passe, mot de passe, mdp, passe,
    passwort, kennwort, parola, parola d'ordine, password utente, şifre, sifre,
    пароль, пасс, пасворд, пассворд, hasło, haslo, 密码, 口令, 密碼
  `,
  software: `
    soft, software, browser, web browser, application, app, app name, application name, storage, program, client,
    софт, браузер, приложение, программа, программное обеспечение,
    navegador, aplicación, aplicativo, aplicação, programa, navigateur, application utilisée, logiciel,
    anwendung, programm, applicazione, programma, tarayıcı, uygulama, przeglądarka, aplikacja, program kliencki,
    браузер користувача, додаток, 浏览器, 软件, 程序, 瀏覽器
  `,
  port: "port, server port, imap port, smtp port, pop3 port, ftp port, порт, puerto, porta, 端口",
  other: `
    profile, profile name, профиль, perfil, profil, seller, log tools, free logs, logs, telegram, channel, tg, version,
    browser version, soft version, ip, ip address, country, date, log date, time, created, created time, modified,
    last used, times used, title, name, user name field, password field, password strength, type, protocol, secured,
    filename, id, number, count, hwid, os
  `,
};

/**
 * Normalises a label: drops case, marks on letters, and blanks and signs between words. `Correo electrónico` becomes
 * `correoelectronico`, and `USER_NAME` becomes `username`.
 */
export function foldWord(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll("ı", "i")
    .replaceAll("ł", "l")
    .replace(/[\s_./'’`´-]+/gu, "");
}

/** All labels by their normalised words. A word listed for two kinds keeps the first. */
export const labelsByWord: ReadonlyMap<string, Label> = labelTable();

function labelTable(): Map<string, Label> {
  const table = new Map<string, Label>();
  for (const [kind, words] of Object.entries(spellings) as [LabelKind, string][]) {
    for (const word of words.split(",").map(foldWord)) {
      if (word !== "" && !table.has(word)) table.set(word, { kind, word });
    }
  }
  return table;
}

/**
 * The meaning of a column or member name. `email`: a name of docs/contract.md 11.4. `mail`: an address under any other
 * name. `login`: a user name, possibly an address. `password`, `hash` and `secret`: never read as an address. `site`:
 * the site of a login, or a homepage; `login_site`: certainly the site of a login. `person`: typical of tables about
 * people.
 */
export type NameKind =
  | "email"
  | "mail"
  | "login"
  | "password"
  | "hash"
  | "secret"
  | "site"
  | "login_site"
  | "person"
  | "other";

/** Whether values of this kind are secrets. They are never read as addresses, even if they look like addresses. */
export function isSecretKind(kind: NameKind): boolean {
  return kind === "password" || kind === "hash" || kind === "secret";
}

/** The kind of a name, in any spelling and in about thirty languages. */
export function kindOfName(name: string): NameKind {
  const known = kinds.get(name);
  if (known !== undefined) return known;
  const kind = findKind(name);
  if (kinds.size >= maxKnown) kinds.clear();
  kinds.set(name, kind);
  return kind;
}

/** Cache capacity. A file has few names; a hostile file may have any number. */
const maxKnown = 4096;
const kinds = new Map<string, NameKind>();
/** Longer texts are data, not names. */
const maxNameLength = 128;

/**
 * Normalises a name: ignores case, blanks, hyphens and underscores. `E-Mail`, `e mail` and `Email Address` become
 * `email`.
 */
export function columnName(name: string): string {
  const joined = name
    .slice(0, maxNameLength)
    .toLowerCase()
    .replace(/[\s_-]+/g, "");
  return emailNames.has(joined) ? "email" : joined;
}

/** Whether a normalised name is a field of docs/contract.md 11.4. */
export function isFieldName(name: string): boolean {
  return fieldNames.has(name);
}

const fieldNames: ReadonlySet<string> = new Set("email category severity title subject sourceurl date".split(" "));
const emailNames: ReadonlySet<string> = new Set(["email", "mail", "emailaddress"]);

/** Whether a column of this name holds another person's address or a further address. */
export function isSecondName(name: string): boolean {
  return wordsOf(name).some((word) => secondWords.has(word) || /^\p{L}+[2-9]$/u.test(word) || /^[2-9]$/.test(word));
}

function findKind(name: string): NameKind {
  if (name.length > maxNameLength || noName.test(name)) return "other";
  if (columnName(name) === "email") return "email";
  const words = wordsOf(name);
  const joined = words.join("");
  const secret = secretKind(words, joined);
  if (secret !== null) return secret;
  if (isMailName(words, joined)) return "mail";
  if (loginSiteNames.has(joined)) return "login_site";
  if (loginNames.has(joined) || isAny(loginWords, words, joined)) return "login";
  if (siteNames.has(joined)) return "site";
  if (personNames.has(joined) || isAny(personWords, words, joined)) return "person";
  return "other";
}

/** Whether the name or one of its words is in a set. */
function isAny(set: ReadonlySet<string>, words: readonly string[], joined: string): boolean {
  return set.has(joined) || words.some((word) => set.has(word));
}

/** An address, a URL or a combo: data in the place of a header. */
const noName = /@|:\/\/|^[^:]*:[^:]*:/;

/** Splits `primaryEmail`, `primary_email` and `E-mail 1 - Value` into lower-case words without accents. */
function wordsOf(name: string): string[] {
  const plain = name
    .slice(0, maxNameLength)
    .replace(/(\p{Ll}|\d)(?=\p{Lu})/gu, "$1 ")
    .replace(/(\p{Lu})(?=\p{Lu}\p{Ll})/gu, "$1 ")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll("ı", "i")
    .replaceAll("ł", "l")
    .replaceAll("ø", "o")
    .replaceAll("đ", "d");
  return plain.match(/[\p{L}\p{N}]+/gu) ?? [];
}

function setOf(words: string): ReadonlySet<string> {
  return new Set(words.split(/\s+/).filter((word) => word !== ""));
}

function secretKind(words: readonly string[], joined: string): NameKind | null {
  const isIn = (set: ReadonlySet<string>) =>
    set.has(joined) || words.some((word) => set.has(word) || set.has(word.replace(/(?:s|\d+)$/, "")));
  if (isIn(hashWords)) return "hash";
  if (isIn(secretWords) || secretNames.has(joined)) return "secret";
  return isIn(passwordWords) || passwordParts.some((part) => joined.includes(part)) ? "password" : null;
}

function isMailName(words: readonly string[], joined: string): boolean {
  if (words.some((word) => noMailWords.has(word)) || noMailNames.has(joined)) return false;
  return (
    mailNames.has(joined) ||
    mailWords.has(joined) ||
    words.some((word) => mailWords.has(word.replace(/\d+$/, ""))) ||
    mailParts.some((part) => joined.includes(part))
  );
}

/** Words for addresses. Chinese, Japanese and Korean have no blanks between words; see `mailParts`. */
const mailWords = setOf(`
  email emails mail mails mailaddress emailaddress emailadress emailid emailaddr mailadresse emailadresse mailadress
  useremail usermail accountemail contactemail customeremail loginemail primaryemail workemail personalemail
  correo correos correoe correio courriel courriels mel posta poczta pocztowy posti sahkoposti epost eposta epasts
  pastas surel upn smtp
  почта почты почте пошта пошти мейл имейл емейл емаил мыло поща
  ελεκτρονικο mailadres emailadres mailcim emailcim
  דואל אימייל מייל
  بريد البريد ايميل الايميل رايانامه ایمیل رایانامه
  อเมล ईमेल इमेल ელფოსტა
`);
const mailNames = setOf(`
  mailto epostadresse epostikonto userprincipalname primarysmtpaddress emailaddresses epostaadress elpastas thudientu dientu hopthu uzenetcim emailvalue
  correoelectronico correoselectronicos elektronicka elektronickaposta postaelettronica
`);
const mailParts = [
  ..."メール 邮箱 邮件 電子郵件 電子信箱 郵箱 信箱 电邮 電郵 이메일 메일 전자우편 อีเมล ईमेल ელფოსტა".split(" "),
  "emailaddress",
  "correoelectronico",
  "sahkoposti",
].map((part) => part.normalize("NFKD").replace(/\p{M}/gu, ""));
/** Words that turn a mail name into something else: `email_verified`, `Mailing List`, `email_username`. */
const noMailWords = setOf(`
  verified confirmed valid validated validation verification status type count domain username hash hashed md5 sha1
  sha256 opt optin optout newsletter subscribed subscription notification notifications format date time at sent server
  host list mailing consent enabled disabled provider client label preference preferences allowed bounce bounced
  template subject body text message messages template quota size usage is has send receive marketing permission
`);
const noMailNames = setOf("mailcity mailstate mailzip mailcountry");

const loginWords = setOf(`
  login logins logon loginname loginid username usernames userid userlogin usr accountname samaccountname signin
  usuario usuarios utilisateur identifiant benutzer benutzername nutzername anmeldename utente kullanici uzytkownik
  uzivatel felhasznalo anvandare anvandarnamn brukernavn bruger brugernavn gebruiker gebruikersnaam kayttaja
  kayttajatunnus utilizator
  логин пользователь пользователя логін користувач хэрэглэгч χρηστης
  المستخدم כניסה משתמש
`);
const loginNames = setOf(`
  user users account accounts konto uid acct cuenta compte conta target selector principal userprincipal loginvalue
  usernamevalue encryptedusername username2 username3
  用户名 用户 用戶名 账号 帐号 帳號 账户 ユーザー ユーザー名 ユーサー名 アカウント 아이디 사용자 계정
`);

const passwordWords = setOf(`
  pass password passwd passwort passphrase passcode passw passwrd pwd pswd psw pw userpass userpassword
  kennwort losung contrasena contrasenia clave claves senha mdp motdepasse parola haslo heslo jelszo losenord passord
  adgangskode kodeord wachtwoord salasana sifre parool parole slaptazodis lozinka geslo zaporka wagwoord sandi
  plaintext cleartext passwordplaintext palabraclave
  пароль пароли паролі парола лозинка κωδικος סיסמה סיסמא رمز گذرواژه पासवर्ड รหัสผาน
`);
const passwordParts = [
  ..."passwor passwort passwd passphrase kennwort contrasen motdepasse wachtwoord losenord adgangskode парол".split(
    " ",
  ),
  ..."密码 密碼 口令 パスワード 暗証 비밀번호 암호 패스워드 كلمةالمرور كلمةالسر المرور السر סיסמ matkhau รหัสผ่าน".split(
    " ",
  ),
].map((part) => part.normalize("NFKD").replace(/\p{M}/gu, ""));
const hashWords = setOf(`
  hash hashed md5 sha sha1 sha256 sha512 ntlm bcrypt argon2 scrypt pbkdf2 crypt digest checksum salt passwordhash
`);
const secretWords = setOf(`
  token secret hint hinweis pista pin otp totp otpauth cookie session sessionid jwt bearer
  question answer frage antwort pregunta respuesta vopros otvet вопрос ответ
  cvv cvc mnemonic seed signature decrypted cracked dehashed
  apikey accesskey privatekey secretkey sshkey authkey
`);
const secretNames = setOf("accesstoken refreshtoken recoverycode recoverycodes auth authorization credential");

/** Names in exports of browsers, password managers and stealers. */
const loginSiteNames = setOf(`
  loginuri loginurl loginurls originurl targeturl formactionorigin actionurl signonrealm loginwebsite
`);
/** In tables about people these may also be homepages of persons or companies. */
const siteNames = setOf(`
  url urls uri host hostname website websiteaddress websiteurl web webaddress webaddr site siteurl origin link weburl
`);

/** Names found only in tables about people; there a URL is a homepage. */
const personWords = setOf(`
  firstname lastname surname forename fullname givenname familyname middlename nachname vorname nombre apellido apellidos
  nom prenom cognome imie nazwisko имя фамилия отчество phone telephone mobile telefon telefono cell tel fax street
  strasse city ciudad ville stadt zip zipcode postcode postal plz birth birthday birthdate dob born gender sex company
  employer job jobtitle position profession avatar bio biography followers following nickname displayname
  registered regdate joined lastlogin lastip regip membership marital nationality ssn passport
`);
const personNames = setOf("first last middle address state region country useragent userregistered userurl");

/** Words for another person, or for a further address of the same person. */
const secondWords = setOf(`
  manager supervisor boss lead referrer referral referred inviter invited parent guardian sponsor partner spouse agent
  secondary second alt alternate alternative other additional backup recovery rescue emergency old previous former
  cc bcc reply sender assignee assigned approver creator created updated modified editor owner admin support
  vorgesetzter zweite secundario segundo secondaire altro
`);

import { expect, test } from "vitest";
import { isSecondName, isSecretKind, kindOfName } from "../../../src/corpus/formats/column-names.ts";

test.each(["email", "E-Mail", "mail", "Email Address", "e_mail", "EMAIL"])(
  "%s is a contract name for addresses",
  (name) => {
    expect(kindOfName(name)).toBe("email");
  },
);

test.each([
  ...["email_address2", "userEmail", "Primary Email", "E-mail 1 - Value", "customer.email", "emails", "work e-mail"],
  ...["correo", "Correo electrónico", "courriel", "Adresse e-mail", "E-Mail-Adresse", "posta elettronica", "e-posta"],
  ...[
    "adres e-mail",
    "sähköposti",
    "E-Post-Adresse",
    "электронная почта",
    "пошта",
    "メールアドレス",
    "邮箱",
    "電子郵件",
  ],
  ...["이메일", "البريد الإلكتروني", 'דוא"ל', "อีเมล", "ईमेल", "thư điện tử", "User Principal Name", "mailto"],
])("%s is a name for addresses", (name) => {
  expect(kindOfName(name)).toBe("mail");
});

test.each([
  ...[
    "password",
    "user_pass",
    "PASSWD",
    "passwordPlaintext",
    "Passwort",
    "Kennwort",
    "contraseña",
    "senha",
    "mot de passe",
  ],
  ...[
    "hasło",
    "heslo",
    "lösenord",
    "wachtwoord",
    "şifre",
    "пароль",
    "パスワード",
    "密码",
    "비밀번호",
    "كلمة المرور",
    "סיסמה",
  ],
  ...[
    "mật khẩu",
    "hashed_password",
    "password_hash",
    "salt",
    "md5",
    "token",
    "apiKey",
    "secret",
    "hint",
    "security question",
  ],
  ...["top_passwords", "otpauth", "recovery codes", "email_password", "pass2"],
])("%s is a name for secrets", (name) => {
  expect(isSecretKind(kindOfName(name))).toBe(true);
});

test.each([
  ["login", "login"],
  ["User Name", "login"],
  ["usuario", "login"],
  ["login_username", "login"],
  ["用户名", "login"],
  ["url", "site"],
  ["Web Site", "site"],
  ["login_uri", "login_site"],
  ["target_url", "login_site"],
  ["firstName", "person"],
  ["phone", "person"],
  ["user_url", "person"],
  ["email_verified", "other"],
  ["Mailing Address", "other"],
  ["passport no", "person"],
  ["compass", "other"],
  ["secretary", "other"],
  ["credentials", "other"],
  ["jane.doe@example.com:secret", "other"],
  ["https://a.example/login", "other"],
  ["x".repeat(500), "other"],
])("%s is a name of kind %s", (name, kind) => {
  expect(kindOfName(name)).toBe(kind);
});

test("names show that an address belongs to another person, or is not the first", () => {
  const names = ["manager_email", "email2", "E-mail 2 - Value", "backupEmail", "referrer", "alt_mail"];
  expect(names.filter(isSecondName)).toEqual(names);
  expect(["email", "employee_email", "E-mail 1 - Value", "mail"].filter(isSecondName)).toEqual([]);
});

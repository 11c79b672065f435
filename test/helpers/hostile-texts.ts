/** A visible effect of an injected script; the tests check that it did not happen. */
export const trace = "hostileTextRan";

const run = `globalThis.${trace}=1`;

const markup = [
  `<script>${run}</script>`,
  `<img src=x onerror="${run}">`,
  `<svg onload=${run}>`,
  `<svg><script>${run}</script></svg>`,
  `"><img src=x onerror=${run}>`,
  `'><details open ontoggle=${run}>`,
  `</title><script>${run}</script>`,
  `</textarea><img src=x onerror=${run}>`,
  `<iframe srcdoc="<script>parent.${trace}=1</script>">`,
  `<a href="javascript:${run}">click</a>`,
  `<math><mtext></p><style><img src=x onerror=${run}></style></mtext></math>`,
  `<body onload=${run}>`,
  `<input autofocus onfocus=${run}>`,
  `<style>@import "https://evil.example/x.css";*{background:url(https://evil.example/x)}</style>`,
  `<link rel=stylesheet href=https://evil.example/x.css>`,
  `<base href="https://evil.example/">`,
  `<form action=https://evil.example/><button autofocus>x</button></form>`,
  `{{constructor.constructor("${run}")()}}`,
  `\${${run}}`,
  `__html`,
];

const urls = [
  `javascript:${run}`,
  `JaVaScRiPt:${run}`,
  `java\nscript:${run}`,
  `\u0001javascript:${run}`,
  ` javascript:${run}`,
  `data:text/html,<script>opener.${trace}=1</script>`,
  `vbscript:msgbox(1)`,
  `blob:https://evil.example/1`,
  `//evil.example/x`,
  `http://evil.example/x`,
  `https://evil.example/"onmouseover="${run}`,
  `https://user:password@evil.example/`,
  `https://${"a".repeat(200)}.example/${"b".repeat(800)}`,
  `https://xn--80ak6aa92e.example/\u202egpj.exe`,
];

const texts = [
  "\u202egnp.exe\u202c and after",
  "\u2066isolated\u2069\u2067right\u2069",
  "\u200fabc\u200e\u061c",
  "זהו טקסט מימין לשמאל",
  "هذا نص من اليمين إلى اليسار",
  `${"\u0301".repeat(400)}stacked`,
  "\u0000\u0007\u001b[31mred\u001b[0m\u007f\u009b",
  "line\r\nbreak\u2028and\u2029more\ttab",
  "\u200b\u200c\u200d\ufeff\u00ad\u2060 unseen",
  "\ud800 lone \udfff",
  "\u{e0041}\u{e007f} tags",
  "👩‍👩‍👧‍👦🏳️‍🌈".repeat(40),
  "a".repeat(10_240),
  "a ".repeat(5_120),
  "\u202e".repeat(10_240),
  "<b>".repeat(3_400),
  "ﷺ".repeat(2_000),
  "=cmd|' /C calc'!A0",
  "__proto__",
  "constructor",
  "",
];

/** 200 texts that try to run scripts, to hide, to reverse the writing direction or to break the layout. */
export const hostileTexts: readonly string[] = (() => {
  const plain = [...markup, ...urls, ...texts];
  const hidden = plain.map((text) => `\u202e${text}\u200b`);
  const long = plain.map((text) => `${"x".repeat(180)}${text}`);
  const attributes = plain.map((text) => `" autofocus onfocus="${run}" title='${text}`);
  return [...plain, ...hidden, ...long, ...attributes].slice(0, 200);
})();

export const hostileUrls: readonly string[] = urls;

import { addressesIn } from "./addresses-in.ts";
import { addressReader, cutBesideAddress } from "./any-reader.ts";
import { commonDefaults, type Format, type Plan } from "./format.ts";
import type { Sample } from "./sample.ts";

/** Any text, such as SQL dumps: finds every address and keeps nothing else. The last resort of detection. */
export const any: Format = {
  name: "any",
  confidence: 0.5,
  origin: null,
  defaultsFor: commonDefaults,
  recognises: (sample) => (holdsAddresses(sample) ? plan : null),
  plan: () => plan,
  cut: cutBesideAddress,
  open: (_plan, sink) => addressReader(sink),
};

const plan: Plan = { format: "any", columns: [] };

/**
 * Share of lines that hold an address. A lower share means a text that only mentions some, such as a seller's notes.
 */
const minShare = 0.1;
const minAddresses = 2;
const maxLines = 200;
const maxLineLength = 4096;

function holdsAddresses(sample: Sample): boolean {
  const { text, lines, isWhole } = sample;
  // In a dump the tables with addresses may come long after the head.
  if (isDump(sample)) return !isWhole || text.includes("@");
  if (!text.includes("@")) return false;
  const step = Math.ceil(lines.length / maxLines);
  const judged = lines.filter((_, index) => index % step === 0);
  const counts = judged.map((line) => addressesIn(line.slice(0, maxLineLength)).length);
  const addressCount = counts.reduce((sum, count) => sum + count, 0);
  if (isMailOrContacts(sample)) return addressCount > 0;
  return addressCount >= minAddresses && counts.filter((count) => count > 0).length >= judged.length * minShare;
}

const statement = /^\s*(?:insert\s+into|create\s+table|copy\s+\S+.*\sfrom\s+stdin|drop\s+table|alter\s+table)\b/im;

function isDump({ ending, text }: Sample): boolean {
  return ending === "sql" || statement.test(text);
}

const mailHeader = /^(?:received|return-path|from|to|subject|date|message-id|mime-version|delivered-to|x-[a-z-]+):\s/i;

function isMailOrContacts({ lines }: Sample): boolean {
  const head = lines.slice(0, 30);
  const isMail = /^From \S/.test(head[0] ?? "") || head.filter((line) => mailHeader.test(line)).length >= 3;
  return isMail || head.some((line) => /^(?:BEGIN:VCARD|dn:\s)/i.test(line));
}

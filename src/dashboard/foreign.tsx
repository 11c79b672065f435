/**
 * Invisible characters that can change the meaning or the layout of text: controls, direction marks, joiners and tags.
 * Also more accents on one letter than any script uses, because they would cover the lines above and below.
 */
const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029\u115f\u1160\u3164\uffa0]|\p{M}{5,}/gu;
/** Longer texts are cut on the page, but copied and exported in full. */
const maxLength = 2000;

/**
 * Untrusted text: a title, a name, a detail. It is isolated, so that its writing direction cannot affect its
 * neighbours. Invisible characters are shown by their code point.
 */
export function Foreign({ text }: { text: string }) {
  return (
    <bdi class="foreign">
      {pieces(text).map(({ plain, code }) => (code === null ? plain : <span class="hidden-character">{code}</span>))}
    </bdi>
  );
}

/** Several untrusted texts, each isolated from the others. */
export function ForeignList({ texts }: { texts: readonly string[] }) {
  return (
    <>
      {texts.map((text, index) => (
        <span key={`${index} ${text}`}>
          {index === 0 ? "" : ", "}
          <Foreign text={text} />
        </span>
      ))}
    </>
  );
}

/** Untrusted text as a plain string, for labels and options, which cannot hold elements. */
export function foreignLabel(text: string): string {
  return pieces(text)
    .map(({ plain, code }) => (code === null ? plain : `[${code}]`))
    .join("");
}

type Piece = { readonly plain: string; readonly code: string | null };

function pieces(text: string): Piece[] {
  if (text.length <= maxLength) return splitHidden(text.toWellFormed());
  const end = { plain: "", code: `cut, ${text.length} characters` };
  return [...splitHidden(text.slice(0, maxLength).toWellFormed()), end];
}

function splitHidden(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(hidden)) {
    if (index > end) found.push({ plain: text.slice(end, index), code: null });
    found.push({ plain: "", code: codeOf(match) });
    end = index + match.length;
  }
  if (end < text.length) found.push({ plain: text.slice(end), code: null });
  return found;
}

function codeOf(match: string): string {
  const [first = "", ...rest] = match;
  if (rest.length > 0) return `${rest.length + 1} accents`;
  return `U+${(first.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

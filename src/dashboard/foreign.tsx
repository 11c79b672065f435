/** Characters that are not seen but change what is: controls, marks of writing direction, joiners and tags. */
const hidden = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029\u115f\u1160\u3164\uffa0]/gu;
/** Longer texts are cut; what is copied or exported is whole. */
const maxLength = 2000;

/**
 * Text that somebody else wrote: a title, a name, a detail. It stands isolated, so that its writing direction reaches no
 * neighbour, and what would be invisible in it is shown by its number.
 */
export function Foreign({ text }: { text: string }) {
  const isLong = text.length > maxLength;
  const pieces = splitHidden(isLong ? text.slice(0, maxLength).toWellFormed() : text.toWellFormed());
  return (
    <bdi class="foreign">
      {pieces.map(({ plain, code }) => (code === null ? plain : <span class="hidden-character">{code}</span>))}
      {isLong ? <span class="hidden-character">{`cut, ${text.length} characters`}</span> : null}
    </bdi>
  );
}

type Piece = { readonly plain: string; readonly code: string | null };

function splitHidden(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(hidden)) {
    if (index > end) pieces.push({ plain: text.slice(end, index), code: null });
    pieces.push({ plain: "", code: codeOf(character) });
    end = index + character.length;
  }
  if (end < text.length) pieces.push({ plain: text.slice(end), code: null });
  return pieces;
}

function codeOf(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

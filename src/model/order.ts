/** The order of names: by code point, which is that of their UTF-8 bytes and so of every store; JavaScript's is another. */

/** Below 0: `a` comes first; above 0: `b` does. */
export function byCodePoint(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return rank(a, at) - rank(b, at);
}

/** Surrogates stand for characters above all others, but their own numbers lie in the midst. */
function rank(text: string, at: number): number {
  if (at >= text.length) return -1;
  const unit = text.charCodeAt(at);
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

// A terminal's colours in what a job wrote: sequences of nothing but the sixteen colours of letters, bold, and back
// to plain. Whatever else there is of sequences stays to be seen as text.

const SEQUENCE = /\u001b\[([\d;]{0,20})m/g;
// What may be the beginning of one, or of a line's end, of which the rest is still to come.
export const BEGUN = /(\r|\u001b(\[[\d;]{0,20})?)$/;
const COLOURS = ["plain", "red", "green", "yellow", "blue", "magenta", "cyan", "plain"];

export const PLAIN = { colour: "plain", isBold: false };

// [{text, style}…] of a text that begins in `style`, and the style it ends in.
export function runs(text, style) {
  const found = [];
  let from = 0;
  let last = style;
  for (const match of text.matchAll(SEQUENCE)) {
    const next = match[1].split(";").reduce(changed, last);
    if (next) {
      found.push({ text: text.slice(from, match.index), style: last });
      from = match.index + match[0].length;
      last = next;
    }
  }
  found.push({ text: text.slice(from), style: last });
  return { runs: found.filter((run) => run.text), style: last };
}

// The style after one number of a sequence; null: something else than a colour.
function changed(style, number) {
  const code = Number(number);
  if (!style || code === 0) {
    return style && PLAIN;
  }
  if (code === 1 || code === 22) {
    return { ...style, isBold: code === 1 };
  }
  if (code === 39) {
    return { ...style, colour: "plain" };
  }
  // Bright black is grey; the other bright ones are told from no others, since all have to be read on this ground.
  const colour = code === 90 ? "grey" : COLOURS[code >= 90 ? code - 90 : code - 30];
  return colour ? { ...style, colour } : null;
}

export function names({ colour, isBold }) {
  return ["ink-" + colour, isBold && "bold"].filter(Boolean).join(" ");
}

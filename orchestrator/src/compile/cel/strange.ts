/** Why a character is no part of any word, and what is written instead; `before` is the word it follows. */
export function strangeCharacter(
  character: string,
  before: string | undefined,
): { readonly message: string; readonly hint: string | undefined } {
  const known = characters.get(character);
  if (character === "`") {
    const joined = 'texts stand between " or \', and are joined with +: "a " + b';
    return { message: "'`' has no meaning here", hint: before === "." ? "a field in backticks is `a-b`" : joined };
  }
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  if (/\p{Cc}|\p{Cs}/u.test(character))
    return { message: `the character U+${code} has no meaning here`, hint: undefined };
  if (/\s|\p{Cf}/u.test(character)) {
    return { message: `a character that is no plain space stands here (U+${code})`, hint: "replace it by a space" };
  }
  return { message: `'${character}' has no meaning here`, hint: known };
}

const quotes = "texts stand between plain \" or '";
const names = "names are letters, digits and _";
const bits = "there are no bit operators";

/** What is meant by characters that CEL has not. */
const characters: ReadonlyMap<string, string> = new Map([
  ["“", quotes],
  ["”", quotes],
  ["„", quotes],
  ["‘", quotes],
  ["’", quotes],
  ["«", quotes],
  ["»", quotes],
  ["´", quotes],
  ["$", "a variable is its bare name: x, not $x or ${x}"],
  ["#", `${names}; a comment begins with //`],
  ["@", names],
  [";", "an expression is one value, without statements"],
  ["^", bits],
  ["~", bits],
  ["\\", "a backslash stands in texts only"],
  ["≤", "the operator is <="],
  ["≥", "the operator is >="],
  ["≠", "the operator is !="],
  ["−", "the operator is -"],
  ["–", "the operator is -"],
  ["—", "the operator is -"],
  ["×", "the operator is *"],
  ["÷", "the operator is /"],
  ["∧", "the operator is &&"],
  ["∨", "the operator is ||"],
  ["¬", "the operator is !"],
  ["…", "all of it has to be written"],
]);

/** What a number is written like that stands for this. */
export function strangeNumber(text: string): string {
  if (text.startsWith("0X")) return `hexadecimal numbers begin with 0x: 0x${text.slice(2)}`;
  if (/^0[bB][01]+$/.test(text)) return `numbers are decimal or hexadecimal: ${Number.parseInt(text.slice(2), 2)}`;
  if (/^0[oO][0-7]+$/.test(text)) return `numbers are decimal or hexadecimal: ${Number.parseInt(text.slice(2), 8)}`;
  if (/^[\d._]+$/.test(text)) return `digits stand without separators: ${text.replaceAll("_", "")}`;
  const suffixed = /^([\d.]+)([A-Za-z]+)$/.exec(text);
  const [, number = "", suffix = ""] = suffixed ?? [];
  if (/^[uU][lL]{1,2}$|^[lL]{1,2}[uU]$/.test(suffix)) return `an unsigned number is ${number}u`;
  if (/^([lL]{1,2}|[nN]|[iI]\d*)$/.test(suffix)) return `a whole number has no suffix: ${number}`;
  if (/^(ms|s|m|h|min|d)$/.test(suffix)) return `a duration is duration("${number}${suffix === "min" ? "m" : suffix}")`;
  if (/^[fFdDmM]$/.test(suffix))
    return `a double has a point and no suffix: ${number}${number.includes(".") ? "" : ".0"}`;
  return "a name can't begin with a digit";
}

// JSON whose integers stay exact, also beyond 2^53 - 1, as sums in /audit may be.
// Pure: it knows no page and no server.

const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?(?<![0-9.])[0-9]{16,}(?![0-9.eE])/g;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g;

/** Read JSON; integers that a Number does not hold exactly come as strings of digits. */
export function readJson(text) {
  return JSON.parse(text.replace(STRING_OR_LONG_INTEGER, quoteInexact));
}

function quoteInexact(token) {
  if (token.startsWith('"')) return token;
  const integer = BigInt(token);
  return BigInt.asIntN(54, integer) === integer ? token : `"${token}"`;
}

/** Return JSON with line breaks and indentation, each of its values as it was written. */
export function indentJson(text) {
  const tokens = text.match(TOKEN) ?? [];
  const opens = (token) => token === "{" || token === "[";
  const closes = (token) => token === "}" || token === "]";
  let line = "\n";
  let indented = "";
  tokens.forEach((token, index) => {
    if (closes(token) && !opens(tokens[index - 1])) {
      line = line.slice(0, -2);
      indented += line;
    }
    indented += token === ":" ? ": " : token;
    if (opens(token) && !closes(tokens[index + 1])) {
      line += "  ";
      indented += line;
    }
    if (token === ",") indented += line;
  });
  return indented;
}

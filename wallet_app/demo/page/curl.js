// A request as a line for a POSIX shell. Pure: it sends nothing.

/** Return the curl command that sends this request. `text` is its body, if it has one. */
export function curlLine({ method, url, text }) {
  const words = ["curl", "-s"];
  const isImplied = method === (text === undefined ? "GET" : "POST");
  if (!isImplied) words.push("-X", method);
  words.push(quote(url));
  if (text !== undefined) {
    words.push("-H", quote("Content-Type: application/json"), "-d", quote(text));
  }
  return words.join(" ");
}

/** Quote a word: inside single quotes a shell changes nothing, and only they end it. */
export function quote(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

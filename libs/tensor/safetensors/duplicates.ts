/**
 * The first key that one object of a JSON text has twice, however it is escaped, or `undefined`. The text must be
 * valid JSON already: the scan only tells strings, brackets and colons apart.
 */
export function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  let string: string | undefined;
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case '"': {
        const start = i++;
        while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
        string = json.slice(start, i + 1);
        break;
      }
      case ':': {
        // In valid JSON a colon outside a string follows a key of the innermost object.
        const key = JSON.parse(string!) as string;
        const keys = open.at(-1)!;
        if (keys.has(key)) return key;
        keys.add(key);
        break;
      }
      case '{':
        open.push(new Set());
        break;
      case '}':
        open.pop();
        break;
    }
  }
  return undefined;
}

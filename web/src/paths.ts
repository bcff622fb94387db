// Category paths: into their names, and what two of them share.

/** The names of a category from the top; one name where the catalogue has no tree. */
export function names(category: string, separator: string | null | undefined): string[] {
  if (!separator) return [category];
  const parts = category.split(separator).map((part) => part.trim()).filter(Boolean);
  return parts.length ? parts : [category];
}

/** How many names from the top two paths share. */
export function shared(one: string[], other: string[]): number {
  let length = 0;
  while (length < one.length && length < other.length && one[length] === other[length]) length++;
  return length;
}

/** What to call each of some paths: its last name, and of paths that end alike also those by which they differ. */
export function told(paths: string[][]): string[] {
  return paths.map((path) => {
    const alike = paths.filter((other) => other !== path && other.at(-1) === path.at(-1));
    const common = Math.min(path.length - 1, ...alike.map((other) => shared(path, other)));
    return (alike.length ? path.slice(common) : path.slice(-1)).join(" › ");
  });
}

/** A text in pieces, every second of them matched: [plain, matched, plain, ...]. Ranges are in UTF-16 units. */
export function pieces(text: string, ranges: [number, number][]): string[] {
  const found: string[] = [];
  let at = 0;
  for (const [start, end] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (start < at || end <= start || end > text.length) continue;
    found.push(text.slice(at, start), text.slice(start, end));
    at = end;
  }
  found.push(text.slice(at));
  return found;
}

/** An address that may be shown as a link: http or https and nothing else; null otherwise. */
export function safeLink(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || Number.isNaN(share)) return "–";
  return `${Math.round(share * 100)} %`;
}

export function count(number: number): string {
  return number.toLocaleString("en-GB");
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A text that fits a field's name, as "charge-2f61" fits charge_id; `chance` has 32 bits. */
export function inventText(name: string, chance: number): string {
  const found = kinds.find(({ names }) => names.test(name));
  if (found !== undefined) return found.make(chance, name);
  return `${name.replaceAll("_", "-")}-${digits(chance)}`;
}

interface Kind {
  readonly names: RegExp;
  readonly make: (chance: number, name: string) => string;
}

/** The first that fits. */
const kinds: readonly Kind[] = [
  { names: /(^|_)uuid$/, make: (chance) => `00000000-0000-4000-8000-0000${hex(chance)}` },
  { names: /_ids?$/, make: (chance, name) => `${name.replace(/_ids?$/, "").replaceAll("_", "-")}-${digits(chance)}` },
  { names: /e?mail/, make: (chance) => `${pick(people, chance).toLowerCase()}@example.com` },
  {
    names: /(^|_)(phone|telephone|mobile)/,
    make: (chance) => `+49 30 ${String(chance % 10_000_000).padStart(7, "0")}`,
  },
  { names: /(^|_)(url|uri|link|href)$/, make: (chance) => `https://example.com/${digits(chance)}` },
  { names: /(^|_)currency(_code)?$/, make: (chance) => pick(["EUR", "USD", "GBP"], chance) },
  { names: /(^|_)country(_code)?$/, make: (chance) => pick(["DE", "FR", "US", "JP"], chance) },
  { names: /(^|_)(language|locale)(_code)?$/, make: (chance) => pick(["de", "en", "fr"], chance) },
  { names: /(^|_)(city|town)$/, make: (chance) => pick(["Berlin", "Lyon", "Oslo", "Porto"], chance) },
  { names: /(^|_)(street|address)$/, make: (chance) => `${(chance % 90) + 1} Market Street` },
  { names: /(^|_)(postal_code|zip|zip_code|postcode)$/, make: (chance) => String(10_000 + (chance % 80_000)) },
  { names: /(^|_)sku$/, make: (chance) => `SKU-${digits(chance)}` },
  {
    names: /(^|_)(reviewer|approver|author|owner|user|customer|name|first_name|last_name)$/,
    make: (chance) => pick(people, chance),
  },
  {
    names: /(^|_)(message|description|comment|reason|note|text|title|detail)$/,
    make: (_, name) => `some ${name}`,
  },
];

const people = ["Ada", "Grace", "Linus", "Margaret", "Edsger", "Barbara"] as const;

function pick(from: readonly string[], chance: number): string {
  return from[chance % from.length] ?? "";
}

function hex(chance: number): string {
  return chance.toString(16).padStart(8, "0");
}

function digits(chance: number): string {
  return hex(chance).slice(0, 4);
}

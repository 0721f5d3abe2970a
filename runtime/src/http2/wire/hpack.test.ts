import { array, assert, constantFrom, integer, oneof, property, string, tuple, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { toAnswerHead } from "./answerHead.ts";
import { Http2Error } from "./frame.ts";
import { HpackDecoder } from "./hpackDecoder.ts";
import { encodeFields } from "./hpackEncoder.ts";
import { staticTable } from "./hpackTable.ts";
import { HeadReader } from "./headReader.ts";
import { readHuffman } from "./huffman.ts";

function hex(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

function decodeAll(blocks: readonly string[], tableBytes = 4_096) {
  const decoder = new HpackDecoder(1_000_000);
  if (tableBytes !== 4_096) decoder.decode(resizeTo(tableBytes));
  return blocks.map((block) => decoder.decode(hex(block)).fields.map((field) => field.join(": ")));
}

/** A block that only sets the size of the table. */
function resizeTo(bytes: number): Uint8Array {
  return bytes < 31
    ? Uint8Array.of(0x20 | bytes)
    : Uint8Array.of(0x3f, ((bytes - 31) & 0x7f) | 0x80, (bytes - 31) >>> 7);
}

const requests = [
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"],
  [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"],
  [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"],
];
const date1 = "date: Mon, 21 Oct 2013 20:13:21 GMT";
const responses = [
  [":status: 302", "cache-control: private", date1, "location: https://www.example.com"],
  [":status: 307", "cache-control: private", date1, "location: https://www.example.com"],
  [
    ":status: 200",
    "cache-control: private",
    "date: Mon, 21 Oct 2013 20:13:22 GMT",
    "location: https://www.example.com",
    "content-encoding: gzip",
    "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
  ],
];

test("RFC 7541, C.2: each way to write a field", () => {
  expect(decodeAll(["400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572"])).toEqual([
    ["custom-key: custom-header"],
  ]);
  expect(decodeAll(["040c 2f73 616d 706c 652f 7061 7468"])).toEqual([[":path: /sample/path"]]);
  expect(decodeAll(["1008 7061 7373 776f 7264 0673 6563 7265 74"])).toEqual([["password: secret"]]);
  expect(decodeAll(["82"])).toEqual([[":method: GET"]]);
});

test("RFC 7541, C.3 and C.4: requests that build on each other, plain and with Huffman", () => {
  expect(
    decodeAll([
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]),
  ).toEqual(requests);
  expect(
    decodeAll([
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ]),
  ).toEqual(requests);
});

test("RFC 7541, C.5 and C.6: responses, with a table of 256 bytes that lets its oldest go", () => {
  expect(
    decodeAll(
      [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
      ],
      256,
    ),
  ).toEqual(responses);
  expect(
    decodeAll(
      [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
      ],
      256,
    ),
  ).toEqual(responses);
});

test("a table holds what its size allows, and what is larger than all of it empties it", () => {
  const decoder = new HpackDecoder(1_000_000);
  const added = (name: string, value: string): Uint8Array =>
    Buffer.concat([
      Uint8Array.of(0x40, name.length),
      Buffer.from(name),
      Uint8Array.of(value.length),
      Buffer.from(value),
    ]);
  decoder.decode(resizeTo(80));
  decoder.decode(Buffer.concat([added("a", "1"), added("b", "2")]));
  expect(decoder.decode(Uint8Array.of(0xbe, 0xbf)).fields).toEqual([
    ["b", "2"],
    ["a", "1"],
  ]);
  decoder.decode(added("c", "3"));
  expect(decoder.decode(Uint8Array.of(0xbe, 0xbf)).fields).toEqual([
    ["c", "3"],
    ["b", "2"],
  ]);
  decoder.decode(added("large", "x".repeat(50)));
  expect(() => decoder.decode(Uint8Array.of(0xbe))).toThrow(Http2Error);
});

test.each([
  ["index 0", "80"],
  ["an index that nobody has", "be"],
  ["a name's index that nobody has", "7f0003"],
  ["a block that ends within a field", "40"],
  ["a string that is longer than its block", "400361"],
  ["a number without an end", "ffffffffffffffffff"],
  ["a size of the table within a block", "8220"],
  ["a size of the table beyond what is allowed", "3fe21f"],
  ["a Huffman code that ends with zeros", "400181 00 0161".replaceAll(" ", "")],
  ["a Huffman code with a whole byte of padding", "400182 1fff 0161".replaceAll(" ", "")],
  ["a Huffman code that holds the end of a string", "400184 ffffffff 0161".replaceAll(" ", "")],
])("%s is refused", (_, block) => {
  expect(() => new HpackDecoder(1_000).decode(hex(block))).toThrow(Http2Error);
});

function refusalOf(blocks: readonly Uint8Array[]): unknown {
  const reader = new HeadReader(1_000, toAnswerHead);
  try {
    for (const block of blocks) reader.read(block);
    return undefined;
  } catch (error) {
    return error;
  }
}

test("a block is read once, and one that builds on the table anew when that has changed", () => {
  const reader = new HeadReader(1_000, toAnswerHead);
  const fieldsOf = (block: string) => {
    const head = reader.read(hex(block));
    return head.kind === "head" ? head : undefined;
  };
  // :status: 200 and x: 1 as a literal that is not kept.
  const alone = fieldsOf("88 00 0178 0131");
  expect(alone?.fields).toEqual(new Map([["x", "1"]]));
  // x: 2 and then x: 3 are kept, each as the newest; the same byte says either.
  fieldsOf("88 40 0178 0132");
  expect(fieldsOf("88be")?.fields.get("x")).toBe("2");
  fieldsOf("88 40 0178 0133");
  expect(fieldsOf("88be")?.fields.get("x")).toBe("3");
  expect(fieldsOf("88 00 0178 0131")).toBe(alone);
  // As long as the table stays as it is, that byte is the same list.
  expect(fieldsOf("88be")).toBe(fieldsOf("88be"));
  // Smaller, it has nothing of it any more.
  expect(() => fieldsOf("20 88be")).toThrow(Http2Error);
});

test("a block that is long is not kept", () => {
  const reader = new HeadReader(10_000, toAnswerHead);
  const blockOf = (bytes: number) =>
    encodeFields([
      [":status", "200"],
      ["x", "v".repeat(bytes)],
    ]);
  expect(reader.read(blockOf(3_000))).toBe(reader.read(blockOf(3_000)));
  expect(reader.read(blockOf(5_000))).not.toBe(reader.read(blockOf(5_000)));
});

test("garbage is refused or read, and never anything else", () => {
  assert(
    property(array(uint8Array({ maxLength: 64 }), { maxLength: 4 }), (blocks) => {
      expect(refusalOf(blocks)).toSatisfy((error) => error === undefined || error instanceof Http2Error);
    }),
  );
});

test("what we write is what we read", () => {
  const text = string({
    unit: integer({ min: 32, max: 126 }).map((byte) => String.fromCharCode(byte)),
    maxLength: 300,
  });
  const field = oneof(constantFrom(...staticTable), tuple(text, text));
  assert(
    property(array(field), (fields) => {
      expect(new HpackDecoder(1_000_000).decode(encodeFields(fields)).fields).toEqual(fields);
    }),
  );
});

test("a list over its size is read over, and the table goes on", () => {
  const decoder = new HpackDecoder(40);
  expect(decoder.decode(hex("400161 0162 400163 0164".replaceAll(" ", "")))).toEqual({ fields: [], isTooLarge: true });
  expect(decoder.decode(Uint8Array.of(0xbf)).fields).toEqual([["a", "b"]]);
});

test("each byte has its Huffman code", () => {
  // Digits take five or six bits; the codes of a few bytes as appendix B has them.
  expect(readHuffman(hex("9acac8b21234da8f"), 0, 8)).toBe("grpc-status");
  for (const [byte, code] of [
    [0x00, "1111111111000"],
    [0x0a, "111111111111111111111111111100"],
    [0x5c, "1111111111111110000"],
    [0x7f, "1111111111111111111111111100"],
    [0x80, "11111111111111100110"],
    [0xf9, "1111111111111111111111111110"],
    [0xff, "11111111111111111111101110"],
  ] as const) {
    const bits = code.padEnd(Math.ceil(code.length / 8) * 8, "1");
    const bytes = Uint8Array.from(bits.match(/.{8}/g) ?? [], (eight) => Number.parseInt(eight, 2));
    expect(readHuffman(bytes, 0, bytes.length)).toBe(String.fromCharCode(byte));
  }
});

/** Bytes of a message whose field 1 is the text (under 128 bytes): SayRequest and ChainRequest alike. */
export function toSayRequest(text: string): Buffer {
  const body = Buffer.from(text, "utf8");
  return Buffer.concat([Buffer.from([0x0a, body.length]), body]);
}

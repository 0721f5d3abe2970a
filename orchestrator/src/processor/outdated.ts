/** A run that was read has something in its log that only a newer version understands: its partition is left. */
export class Outdated extends Error {
  readonly needs: string;
  readonly sequence: number;

  constructor(needs: string, sequence: number) {
    super(`message ${sequence} of the log takes a newer version: ${needs}`);
    this.name = "Outdated";
    this.needs = needs;
    this.sequence = sequence;
  }
}

/** Why bytes are not what they claim to be, in a sentence fit for a message. */
export interface Malformed {
  readonly malformed: string
}

export const isMalformed = <T extends object>(result: T | Malformed): result is Malformed => 'malformed' in result

/** A listener of events. The code that decides also tells; whoever does not care passes `ignore`. */
export type Emit<Event> = (event: Event) => void
export const ignore: Emit<unknown> = () => {}

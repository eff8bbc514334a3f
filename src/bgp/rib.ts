/** A growing list of 32-bit numbers without boxes. */
export class IntList {
  length = 0
  #data: Int32Array
  constructor(capacity = 8) {
    this.#data = new Int32Array(capacity)
  }
  push(value: number): void {
    if (this.length === this.#data.length) this.#data = grown(this.#data, this.length * 2, 0)
    this.#data[this.length++] = value
  }
  at = (i: number): number => this.#data[i] ?? 0
  values = (): Int32Array => this.#data.subarray(0, this.length)
}

/**
 * Adj-RIB-In and Loc-RIB of one speaker: for every prefix (a number) a list of paths, at most one per source. A path is
 * a source (session number, or below zero a route of the speaker's own) and a route (a number). Three integers a path,
 * so that a mesh of thousands fits.
 */
export class Rib {
  /** Set by whoever fills the RIB: prefixes that changed since they were last looked at. */
  dirty = new IntList()
  #isDirty: Uint8Array
  #head: Int32Array
  #source: Int32Array
  #route: Int32Array
  #next: Int32Array
  #used = 0
  #free = none

  /** Room for this many prefixes and paths is made at once; both grow. */
  constructor(prefixes = 16, paths = 16) {
    this.#head = new Int32Array(prefixes).fill(none)
    this.#isDirty = new Uint8Array(prefixes)
    this.#source = new Int32Array(paths)
    this.#route = new Int32Array(paths)
    this.#next = new Int32Array(paths)
  }

  /** First path of the prefix, or `none`. */
  first = (prefix: number): number => (prefix < this.#head.length ? (this.#head[prefix] ?? none) : none)
  next = (path: number): number => this.#next[path] ?? none
  sourceOf = (path: number): number => this.#source[path] ?? none
  routeOf = (path: number): number => this.#route[path] ?? none
  /** Prefix numbers are below this. */
  get size(): number {
    return this.#head.length
  }

  find(prefix: number, source: number): number {
    let path = this.first(prefix)
    while (path !== none && this.#source[path] !== source) path = this.next(path)
    return path
  }

  /** Adds the path or replaces the one of the same source. */
  put(prefix: number, source: number, route: number): void {
    const known = this.find(prefix, source)
    if (known !== none) {
      if (this.#route[known] === route) return
      this.#route[known] = route
    } else this.#insert(prefix, source, route)
    this.touch(prefix)
  }

  drop(prefix: number, source: number): void {
    let before = none
    let path = this.first(prefix)
    while (path !== none && this.#source[path] !== source) {
      before = path
      path = this.next(path)
    }
    if (path === none) return
    if (before === none) this.#head[prefix] = this.next(path)
    else this.#next[before] = this.next(path)
    this.#next[path] = this.#free
    this.#free = path
    this.touch(prefix)
  }

  touch(prefix: number): void {
    this.#reserve(prefix)
    if (this.#isDirty[prefix] === 1) return
    this.#isDirty[prefix] = 1
    this.dirty.push(prefix)
  }

  /** The dirty prefixes, which are clean from now on. */
  takeDirty(): Int32Array {
    const taken = this.dirty.values()
    for (const prefix of taken) this.#isDirty[prefix] = 0
    this.dirty = new IntList()
    return taken
  }

  /** Drops every path of the sources that match. */
  dropWhere(matches: (source: number) => boolean): void {
    this.#eachPath((prefix, path) => {
      if (matches(this.sourceOf(path))) this.drop(prefix, this.sourceOf(path))
    })
  }

  /** Gives sources new numbers, each a different one. */
  renumber(to: (source: number) => number): void {
    this.#eachPath((_prefix, path) => {
      this.#source[path] = to(this.sourceOf(path))
    })
  }

  /** Prefixes with a path of the source. */
  prefixesOf(source: number): readonly number[] {
    const found: number[] = []
    this.#eachPath((prefix, path) => {
      if (this.#source[path] === source) found.push(prefix)
    })
    return found
  }

  #eachPath(visit: (prefix: number, path: number) => void): void {
    for (let prefix = 0; prefix < this.size; prefix++) {
      for (let path = this.first(prefix); path !== none; ) {
        const following = this.next(path)
        visit(prefix, path)
        path = following
      }
    }
  }

  #insert(prefix: number, source: number, route: number): void {
    this.#reserve(prefix)
    const path = this.#allocate()
    this.#source[path] = source
    this.#route[path] = route
    this.#next[path] = this.first(prefix)
    this.#head[prefix] = path
  }

  #allocate(): number {
    if (this.#free !== none) {
      const path = this.#free
      this.#free = this.next(path)
      return path
    }
    if (this.#used === this.#next.length) {
      const size = Math.ceil(this.#used * 1.5) + 16
      this.#source = grown(this.#source, size, 0)
      this.#route = grown(this.#route, size, 0)
      this.#next = grown(this.#next, size, 0)
    }
    return this.#used++
  }

  #reserve(prefix: number): void {
    if (prefix < this.#head.length) return
    const size = Math.max(prefix + 1, this.#head.length * 2)
    this.#head = grown(this.#head, size, none)
    const flags = new Uint8Array(size)
    flags.set(this.#isDirty)
    this.#isDirty = flags
  }
}

/** No path. */
export const none = -1

/** The same numbers with room for `size`. */
export function grown(from: Int32Array, size: number, fill: number): Int32Array {
  const bigger = new Int32Array(Math.max(size, 8))
  bigger.set(from)
  if (fill !== 0) bigger.fill(fill, from.length)
  return bigger
}

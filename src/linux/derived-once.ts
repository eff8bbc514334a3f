/** What follows from an immutable value alone is worked out once, and kept as long as the value. */
export function derivedOnce<From extends object, To>(derive: (from: From) => To): (from: From) => To {
  const known = new WeakMap<From, { readonly value: To }>()
  return (from) => {
    const before = known.get(from)
    if (before) return before.value
    const value = derive(from)
    known.set(from, { value })
    return value
  }
}

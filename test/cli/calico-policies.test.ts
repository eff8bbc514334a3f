import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const pod = (name: string): string =>
  `---\napiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: shop }\nspec: { nodeName: a, containers: [{ name: c, ports: [{ containerPort: 8080 }] }] }\n`
const shop = `apiVersion: v1\nkind: Node\nmetadata: { name: a }\nstatus: { addresses: [{ type: InternalIP, address: 192.168.50.11 }] }\n${pod('cart')}${pod('web-1')}`

describe("Calico's own policies", () => {
  const pool =
    '---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: { name: p }\nspec: { cidr: 10.244.0.0/16 }\n'
  const deny =
    '---\napiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkPolicy\nmetadata: { name: deny }\nspec: { types: [Ingress] }\n'
  const says = "Calico's GlobalNetworkPolicy deny may decide otherwise"

  test.each([
    ['policy', ['policy', 'pod/cart.shop', 'pod/web-1.shop:8080']],
    ['matrix', ['matrix', '-n', 'shop']],
  ])('are not judged by %s, which says so', async (_, argv) => {
    const outOf = async (text: string) => (await runWith({ 'in.yaml': text }, [...argv, '-f', 'in.yaml'])).out
    expect(await outOf(`${shop}${pool}${deny}`)).toContain(says)
    expect(await outOf(`${shop}${pool}`)).not.toContain('may decide otherwise')
    expect(await outOf(`${shop}${deny}`)).not.toContain('may decide otherwise')
  })
})

import { describe, expect, test } from 'vitest'
import { serviceEnv } from '../../src/controllers/service-env.ts'
import { dualSettings, only, pod, ran, service } from './fixture.ts'

const env = (spec: Parameters<typeof pod>[2], ...services: readonly ReturnType<typeof service>[]) => {
  const { store } = ran([...services, pod('p', {}, spec)], dualSettings)
  return Object.fromEntries(serviceEnv(store, only(store, 'Pod', 'p')).map((v) => [v.name, v.value]))
}

const kubernetes = { ...service('kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] }) }
const inDefault = { ...kubernetes, metadata: { name: 'kubernetes', namespace: 'default' } }

describe('variables of Services', () => {
  test('are those of Docker links, for each port', () => {
    const ports = [
      { name: 'http-alt', port: 80 },
      { name: 'dns', port: 53, protocol: 'UDP' as const },
    ]
    expect(env({}, service('web-shop', { clusterIP: '10.96.0.5', ports }))).toEqual({
      WEB_SHOP_SERVICE_HOST: '10.96.0.5',
      WEB_SHOP_SERVICE_PORT: '80',
      WEB_SHOP_SERVICE_PORT_HTTP_ALT: '80',
      WEB_SHOP_SERVICE_PORT_DNS: '53',
      WEB_SHOP_PORT: 'tcp://10.96.0.5:80',
      WEB_SHOP_PORT_80_TCP: 'tcp://10.96.0.5:80',
      WEB_SHOP_PORT_80_TCP_PROTO: 'tcp',
      WEB_SHOP_PORT_80_TCP_PORT: '80',
      WEB_SHOP_PORT_80_TCP_ADDR: '10.96.0.5',
      WEB_SHOP_PORT_53_UDP: 'udp://10.96.0.5:53',
      WEB_SHOP_PORT_53_UDP_PROTO: 'udp',
      WEB_SHOP_PORT_53_UDP_PORT: '53',
      WEB_SHOP_PORT_53_UDP_ADDR: '10.96.0.5',
    })
  })

  test('put IPv6 addresses in brackets where a port follows', () => {
    expect(env({}, service('web', { ipFamilies: ['IPv6'] }))).toMatchObject({
      WEB_PORT: 'tcp://[fd00:10:96::101]:80',
      WEB_PORT_80_TCP_ADDR: 'fd00:10:96::101',
    })
  })

  test('leave headless Services and other namespaces out', () => {
    const other = { ...service('far'), metadata: { name: 'far', namespace: 'other' } }
    expect(env({}, service('web', { clusterIP: 'None' }), other)).toEqual({})
  })

  test('are those of the API server alone without service links', () => {
    expect(Object.keys(env({ enableServiceLinks: false }, service('web'), inDefault))[0]).toBe('KUBERNETES_PORT')
    expect(env({ enableServiceLinks: false }, service('web'), inDefault)).not.toHaveProperty('WEB_SERVICE_HOST')
    expect(env({}, service('web'), inDefault)).toMatchObject({
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      WEB_SERVICE_PORT: '80',
    })
  })
})

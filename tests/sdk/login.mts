// Signing in with the official SDK in all of its modes.
import {
    authentication, createDirectus, inviteUser, readMe, readRoles, rest, staticToken, updateMe, withToken,
    type AuthenticationData, type AuthenticationStorage,
} from '@directus/sdk';
import assert from 'node:assert/strict';

const url = process.env.ACTA_URL!;
const email = process.env.ACTA_EMAIL!;
const password = process.env.ACTA_PASSWORD!;

/** A browser's cookies, which Node.js does not keep by itself. */
class Jar {
    readonly cookies = new Map<string, string>();

    fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
        const headers = new Headers(init.headers);
        if (init.credentials === 'include') {
            headers.set('Cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
        }
        const answer = await fetch(input, { ...init, headers });
        for (const line of answer.headers.getSetCookie()) {
            const [name, value] = line.split(';')[0]!.split('=') as [string, string];
            if (value === '""' || value === '') this.cookies.delete(name);
            else this.cookies.set(name, value);
        }
        return answer;
    };
}

class Memory implements AuthenticationStorage {
    value: AuthenticationData | null = null;
    get = () => this.value;
    set = (value: AuthenticationData | null) => { this.value = value; };
}

async function refused(work: Promise<unknown>, code: string): Promise<void> {
    await assert.rejects(work, (error: { errors?: { extensions: { code: string } }[] }) => {
        assert.equal(error.errors?.[0]?.extensions.code, code);
        return true;
    });
}

// JSON: tokens are the program's own.
const memory = new Memory();
const json = createDirectus(url)
    .with(authentication('json', { autoRefresh: false, storage: memory })).with(rest());
const first = await json.login({ email, password });
assert.equal(first.expires, 900_000);
assert.ok(first.access_token && first.refresh_token);
assert.equal((await json.request(readMe({ fields: ['email'] }))).email, email);
const again = await json.refresh();
assert.notEqual(again.refresh_token, first.refresh_token);
assert.equal((await json.request(readMe({ fields: ['email'] }))).email, email);
const stale = again.access_token!;
await json.logout();
assert.equal(memory.value?.access_token ?? null, null);
await refused(json.request(withToken(stale, readMe())), 'INVALID_CREDENTIALS');
await refused(json.login({ email, password: 'wrong' }), 'INVALID_CREDENTIALS');

// Cookie: the refresh token is a cookie, the access token the program's own.
const jar = new Jar();
const cookie = createDirectus(url, { globals: { fetch: jar.fetch } })
    .with(authentication('cookie', { autoRefresh: false, credentials: 'include' }))
    .with(rest({ credentials: 'include' }));
const signed = await cookie.login({ email, password });
assert.equal(signed.refresh_token ?? null, null);
assert.ok(jar.cookies.has('directus_refresh_token'));
assert.equal((await cookie.request(readMe({ fields: ['email'] }))).email, email);
const before = jar.cookies.get('directus_refresh_token');
await cookie.refresh();
assert.notEqual(jar.cookies.get('directus_refresh_token'), before);
await cookie.logout();
assert.ok(!jar.cookies.has('directus_refresh_token'));

// Session: all there is is a cookie.
const second = new Jar();
const session = createDirectus(url, { globals: { fetch: second.fetch } })
    .with(authentication('session', { autoRefresh: false, credentials: 'include' }))
    .with(rest({ credentials: 'include' }));
await session.login({ email, password });
assert.deepEqual([...second.cookies.keys()], ['directus_session_token']);
assert.equal((await session.request(readMe({ fields: ['email'] }))).email, email);
await session.request(updateMe({ first_name: 'Signed' }));
const held = second.cookies.get('directus_session_token');
await session.refresh();
assert.notEqual(second.cookies.get('directus_session_token'), held);
assert.equal((await session.request(readMe({ fields: ['first_name'] }))).first_name, 'Signed');
await session.logout();
await refused(session.request(readMe()), 'INVALID_CREDENTIALS');

// A static token.
const fixed = createDirectus(url).with(staticToken(process.env.ACTA_TOKEN!)).with(rest());
assert.equal((await fixed.request(readMe({ fields: ['email'] }))).email, email);
const [role] = await fixed.request(readRoles({ fields: ['id'], limit: 1 }));
await fixed.request(inviteUser('invited@example.com', role!.id));
await refused(createDirectus(url).with(staticToken('nobodys')).with(rest()).request(readMe()), 'INVALID_CREDENTIALS');

console.log('done');

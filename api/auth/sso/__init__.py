"""Signing in with accounts kept elsewhere: OAuth 2, OpenID Connect, LDAP, SAML."""

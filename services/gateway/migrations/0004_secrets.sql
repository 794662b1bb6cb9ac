-- Was the secret of an endpoint shown? (store/keys.py: WAS_SHOWN)
CREATE INDEX audit_shown ON audit (what) WHERE action = 'show webhook secret';

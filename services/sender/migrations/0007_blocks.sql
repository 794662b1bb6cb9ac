-- That somebody had blocked a bot ended with him: who comes back to it with that address is answered.
DELETE FROM suppression WHERE reason = 'blocked_by_user';

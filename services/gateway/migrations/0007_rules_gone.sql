-- When rules were withdrawn: results of experiments with the global control group ask for it, and an audit grows for ever.
CREATE INDEX audit_rules_gone ON audit (at) WHERE action = 'delete' AND what LIKE 'rule %';

-- A database of version 3, as FTL 0.1.0 left it before stores had epochs: echo is being brought up in 2 replicas, and two
-- deployments of time have ended.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE modules ( name TEXT NOT NULL PRIMARY KEY, active_key TEXT REFERENCES deployments(key), next_key TEXT REFERENCES deployments(key), replicas INTEGER NOT NULL CHECK (replicas BETWEEN 0 AND 4294967295), next_replicas INTEGER NOT NULL DEFAULT 0 CHECK (next_replicas BETWEEN 0 AND 4294967295)) STRICT, WITHOUT ROWID;
INSERT INTO modules VALUES('echo',NULL,'dpl-echo-5ej75t8t3xr80',2,0);
INSERT INTO modules VALUES('time',NULL,NULL,3,0);
CREATE TABLE deployments ( id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, module TEXT NOT NULL REFERENCES modules(name), language TEXT NOT NULL, identity BLOB NOT NULL UNIQUE CHECK (length(identity) = 32), created_ms INTEGER NOT NULL, state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5), detail TEXT NOT NULL, schema BLOB NOT NULL) STRICT;
INSERT INTO deployments VALUES(1,'dpl-echo-5ej75t8t3xr80','echo','c',X'350084ce9719df9c2824af1173f70fc7b5f26d8fef2c7821a2aaa2b96765b0f3',1796072275084,1,'',X'12046563686f22140a121204546578741a0a12047465787422021a002224122212046563686f220c1204546578741a046563686f2a0c1204546578741a046563686f92b90f100a0b08d3c6b7d8061080fa8628120163');
INSERT INTO deployments VALUES(2,'dpl-time-d96b0hpy8ppfp','time','none',X'a8025c4330995cb31383681c4ad227c5214f9e807b50c914ef42fdb8563222db',1796072275091,4,'replaced before it was up',X'120474696d6522140a121204546578741a0a12047465787422021a002224122212046563686f220c1204546578741a0474696d652a0c1204546578741a0474696d6592b90f130a0b08d3c6b7d80610c099b22b12046e6f6e65');
INSERT INTO deployments VALUES(3,'dpl-time-4fdsb6xcbn7g4','time','none',X'f557ba2413418f95ca5c38aafb195309570ff47be477eb69c5b563b1b8a8046f',1796072275128,5,'3 of 3 replicas did not come up; the first said: the entry "main" is not among the 0 files of the deployment; name it in ftl.toml: entry = "…"',X'120474696d651a0374776f22140a121204546578741a0a12047465787422021a002224122212046563686f220c1204546578741a0474696d652a0c1204546578741a0474696d6592b90f130a0b08d3c6b7d8061080c0843d12046e6f6e65');
CREATE TABLE deployment_artefacts ( deployment INTEGER NOT NULL REFERENCES deployments(id), path TEXT NOT NULL, digest BLOB NOT NULL CHECK (length(digest) = 32), executable INTEGER NOT NULL CHECK (executable IN (0, 1)), PRIMARY KEY (deployment, path)) STRICT, WITHOUT ROWID;
INSERT INTO deployment_artefacts VALUES(1,'main',X'5ac93c86b2fb03e13c2fa07fc0bcb32a198f5ab77f27362544638b642ba53b56',1);
CREATE TABLE events ( sequence INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL, module TEXT NOT NULL, deployment TEXT NOT NULL, runner TEXT NOT NULL, text TEXT NOT NULL, lines TEXT NOT NULL, retry_ms INTEGER NOT NULL) STRICT;
INSERT INTO events VALUES(1,1796072275050,1,'','','','serves on unix:/run/ftl.sock, process 100, version 0.1.0','',0);
INSERT INTO events VALUES(38,1796072275140,35,'time','dpl-time-4fdsb6xcbn7g4','','3 of 3 replicas did not come up; the first said: the entry "main" is not among the 0 files of the deployment; name it in ftl.toml: entry = "…"','',0);
CREATE INDEX deployments_by_module ON deployments(module, id);
PRAGMA user_version = 3;
COMMIT;

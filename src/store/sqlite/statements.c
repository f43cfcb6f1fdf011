/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/statements.h"

#define MODULE_COLUMNS \
	"name, coalesce(active_key, ''), coalesce(next_key, ''), replicas, next_replicas, active_ms, active_origin, next_origin"
#define DEPLOYMENT_COLUMNS "id, key, module, language, identity, created_ms, state, detail"
#define EVENT_COLUMNS "sequence, time_ms, kind, module, deployment, runner, text, lines, retry_ms"
#define EVENTS_WANTED "FROM events WHERE sequence > ?1 AND time_ms >= ?2 AND (?3 = '' OR module = ?3)"

const char *const statement_texts[STATEMENT_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[BEGIN_READING] = "BEGIN",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[GET_EPOCH] = "SELECT epoch FROM store",
	[SET_EPOCH] = "UPDATE store SET epoch = ?1",
	[GET_SEQUENCE] = "SELECT sequence FROM store",
	[NEXT_SEQUENCE] = "UPDATE store SET sequence = sequence + 1",
	[FIND_IDENTITY] = "SELECT key FROM deployments WHERE identity = ?1",
	[ADD_MODULE] = "INSERT INTO modules (name, replicas, changed) VALUES (?1, 1, ?2) ON CONFLICT (name) DO NOTHING",
	[ADD_DEPLOYMENT] =
		"INSERT INTO deployments (key, module, language, identity, created_ms, state, detail, schema, changed,"
		" created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
	[ADD_ARTEFACT] =
		"INSERT INTO deployment_artefacts (deployment, path, digest, executable) VALUES (?1, ?2, ?3, ?4)",
	[ADD_NEED] = "INSERT INTO deployment_needs (deployment, module, needed) VALUES (?1, ?2, ?3)",
	[GET_DEPLOYMENT] = "SELECT " DEPLOYMENT_COLUMNS ", schema FROM deployments WHERE key = ?1",
	[GET_ARTEFACTS] =
		"SELECT path, digest, executable FROM deployment_artefacts WHERE deployment = ?1 ORDER BY path",
	[GET_NEEDS] =
		"SELECT n.module, d.key, d.schema FROM deployments o JOIN deployment_needs n ON n.deployment = o.id"
		" JOIN deployments d ON d.key = n.needed WHERE o.key = ?1 ORDER BY n.module",
	[SET_STATE] = "UPDATE deployments SET state = ?2, detail = ?3, changed = ?4 WHERE key = ?1",
	[SET_MODULE] = "UPDATE modules SET active_key = nullif(?2, ''), next_key = nullif(?3, ''), replicas = ?4,"
		       " next_replicas = ?5, active_ms = ?6, active_origin = ?7, next_origin = ?8, changed = ?9"
		       " WHERE name = ?1",
	/* To be run before SET_MODULE. */
	[BEGIN_LIFE] = "INSERT INTO lives (id, module, deployment, begin_ms, origin)"
		       " SELECT ?5, name, ?2, ?3, ?4 FROM modules"
		       " WHERE name = ?1 AND ?2 <> '' AND (active_key IS NOT ?2 OR active_ms <> ?3)",
	[DROP_LIVES] = "DELETE FROM lives WHERE module = ?1 AND id <="
		       " (SELECT id FROM lives WHERE module = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	[LOAD_MODULES] = "SELECT " MODULE_COLUMNS " FROM modules ORDER BY name",
	[LOAD_DEPLOYMENTS] =
		"SELECT " DEPLOYMENT_COLUMNS " FROM deployments"
		" WHERE state IN (1, 2, 3) OR key IN (SELECT active_key FROM modules UNION SELECT next_key FROM modules)"
		" OR id IN (SELECT max(id) FROM deployments GROUP BY module)"
		" ORDER BY module, id",
	[WATCH_MODULES] = "SELECT " MODULE_COLUMNS " FROM modules WHERE changed > ?1 ORDER BY name",
	[WATCH_DEPLOYMENTS] = "SELECT " DEPLOYMENT_COLUMNS " FROM deployments WHERE changed > ?1 ORDER BY module, id",
	/* Deployments that never were active stand between the lives by their creation. */
	[LIST_HISTORY] =
		"SELECT " DEPLOYMENT_COLUMNS ", life, origin, begin_ms, count(*) OVER () FROM"
		" (SELECT deployment AS listed, id AS place, id AS life, coalesce(nullif(origin, 0), id) AS origin, begin_ms"
		" FROM lives WHERE module = ?1"
		" UNION ALL SELECT key, created, 0, 0, created_ms FROM deployments"
		" WHERE module = ?1 AND NOT EXISTS (SELECT 1 FROM lives WHERE deployment = key))"
		" JOIN deployments ON key = listed ORDER BY place DESC LIMIT ?2",
	[ADD_EVENT] = "INSERT INTO events (" EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
	[DROP_EVENTS] = "DELETE FROM events WHERE sequence <= (SELECT max(sequence) FROM events) - ?1",
	/* The inner query finds the newest; the outer one returns them oldest first. */
	[LIST_EVENTS] =
		"SELECT " EVENT_COLUMNS " " EVENTS_WANTED " AND sequence >="
		" (SELECT min(sequence) FROM (SELECT sequence " EVENTS_WANTED " ORDER BY sequence DESC LIMIT ?4))"
		" ORDER BY sequence LIMIT ?5",
};

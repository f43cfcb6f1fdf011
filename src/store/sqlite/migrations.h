/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, and how an older database gets them.
 */
#pragma once

#include "store/sqlite/database.h"

/* Brings the database to the newest version, one transaction a version. FailedPrecondition when a newer FTL made it: it
 * is then left as it is. */
int database_migrate(struct database *db, struct error *err);

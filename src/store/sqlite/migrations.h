/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the database, and the migrations of older databases.
 */
#pragma once

#include "store/sqlite/database.h"

/* Brings the database to the newest version, one transaction a version. FailedPrecondition when a newer FTL made it;
 * the database is then unchanged. */
int database_migrate(struct database *db, struct error *err);

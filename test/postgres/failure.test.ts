/** The PostgreSQL store and its worker survive what a server does, on one of the test's own. */
import { exerciseCrashes } from "../servers/crashes.ts";
import { missing } from "../servers/own-server.ts";
import { subject } from "./subject.ts";

exerciseCrashes(subject, missing("postgres"));

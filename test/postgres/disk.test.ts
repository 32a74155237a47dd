/** The PostgreSQL store and its worker survive a full disk, on a server of the test's own. */
import { exerciseFullDisk } from "../servers/disk.ts";
import { missing } from "../servers/own-server.ts";
import { subject } from "./subject.ts";

exerciseFullDisk(subject, missing("postgres"));

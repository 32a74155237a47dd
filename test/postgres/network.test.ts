/** The PostgreSQL store and its worker survive what happens on the way to a server, and to a pool that is lent. */
import { exerciseNetwork } from "../servers/network.ts";
import { missing } from "../servers/own-server.ts";
import { subject } from "./subject.ts";

exerciseNetwork(subject, missing("postgres"), ["postgres.js"]);

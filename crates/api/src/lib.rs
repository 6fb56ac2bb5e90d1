//! Request, reply and stream types of Muster's own API, with their schemas.

//! Claims about load balancing.

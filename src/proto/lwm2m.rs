//! LwM2M: paths, links, registration parameters, values and their formats.

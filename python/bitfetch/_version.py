# SPDX-License-Identifier: Apache-2.0
VERSION = "0.1.0"  # of this module and of the library that it was written for
